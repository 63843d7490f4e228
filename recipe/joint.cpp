// Queries, keys and values of joint attention, on a CPU in bfloat16: split into heads, RMS-normalised, image and text rows in one tensor, in a single
// pass forward and one backward. PyTorch's own operations walk over them nine times. joint.py compiles and calls this.
#include <torch/extension.h>
#include <ATen/Parallel.h>
#include <vector>
#include <cmath>
using at::Tensor;
static inline float wide(uint16_t u) { uint32_t v = (uint32_t)u << 16; float r; __builtin_memcpy(&r, &v, 4); return r; }
static inline uint16_t narrow(float x) { uint32_t v; __builtin_memcpy(&v, &x, 4); return (uint16_t)((v + 0x7fffu + ((v >> 16) & 1u)) >> 16); }
static uint16_t* P(const Tensor& t) { return (uint16_t*)t.data_ptr<at::BFloat16>(); }
constexpr int D = 64;  // of a head
constexpr float EPS = 1e-6f;

// t [B,N,H*D] -> rows at offset o of out [B,H,M,D]; w empty: copied only; s: factor
static void put(const Tensor& t, const Tensor& w, Tensor& out, int64_t o, int64_t H, float s) {
  const int64_t B = t.size(0), N = t.size(1), M = out.size(2);
  const bool norm = w.defined() && w.numel() > 0;
  float wf[D]; if (norm) for (int i = 0; i < D; i++) wf[i] = wide(P(w)[i]) * s;
  const uint16_t* in = P(t); uint16_t* to = P(out);
  at::parallel_for(0, B, 1, [&](int64_t b0, int64_t b1) {
    for (int64_t bi = b0; bi < b1; bi++) for (int64_t n = 0; n < N; n++) for (int64_t h = 0; h < H; h++) {
      const uint16_t* x = in + ((bi * N + n) * H + h) * D;
      uint16_t* y = to + ((bi * H + h) * M + o + n) * D;
      if (!norm) { __builtin_memcpy(y, x, D * 2); continue; }
      float v[D], ss = 0;
      for (int i = 0; i < D; i++) { v[i] = wide(x[i]); }
      for (int i = 0; i < D; i++) ss += v[i] * v[i];
      const float r = 1.f / std::sqrt(ss / D + EPS);
      for (int i = 0; i < D; i++) y[i] = narrow(v[i] * r * wf[i]);
    }
  });
}
// gradient: g [B,H,M,D] rows at o -> gt [B,N,H*D], gw [D] f32
static void back(const Tensor& t, const Tensor& w, const Tensor& g, Tensor& gt, Tensor& gw, int64_t o, int64_t H, float s) {
  const int64_t B = t.size(0), N = t.size(1), M = g.size(2);
  const bool norm = w.defined() && w.numel() > 0;
  float wf[D]; if (norm) for (int i = 0; i < D; i++) wf[i] = wide(P(w)[i]) * s;
  const uint16_t* in = P(t); const uint16_t* gi = P(g); uint16_t* go = P(gt);
  std::vector<float> acc(B * D, 0.f);
  at::parallel_for(0, B, 1, [&](int64_t b0, int64_t b1) {
    for (int64_t bi = b0; bi < b1; bi++) {
      float sum[D] = {0};
      for (int64_t n = 0; n < N; n++) for (int64_t h = 0; h < H; h++) {
        const uint16_t* x = in + ((bi * N + n) * H + h) * D;
        const uint16_t* gy = gi + ((bi * H + h) * M + o + n) * D;
        uint16_t* y = go + ((bi * N + n) * H + h) * D;
        if (!norm) { __builtin_memcpy(y, gy, D * 2); continue; }
        float v[D], u[D], ss = 0, dot = 0;
        for (int i = 0; i < D; i++) { v[i] = wide(x[i]); u[i] = wide(gy[i]); }
        for (int i = 0; i < D; i++) ss += v[i] * v[i];
        const float r = 1.f / std::sqrt(ss / D + EPS);
        for (int i = 0; i < D; i++) { sum[i] += u[i] * v[i] * r; u[i] *= wf[i]; }
        for (int i = 0; i < D; i++) dot += u[i] * v[i];
        const float c = dot * r * r / D;
        for (int i = 0; i < D; i++) y[i] = narrow(r * (u[i] - v[i] * c));
      }
      if (norm) for (int i = 0; i < D; i++) acc[bi * D + i] = sum[i];
    }
  });
  if (norm) { float* p = gw.data_ptr<float>(); for (int64_t bi = 0; bi < B; bi++) for (int i = 0; i < D; i++) p[i] += acc[bi * D + i] * s; }
}
// x, y [B,N,HD], [B,T,HD]; wx, wy [D] or empty -> [B,H,N+T,D]
Tensor join(Tensor x, Tensor y, Tensor wx, Tensor wy, int64_t H, double s) {
  Tensor out = at::empty({x.size(0), H, x.size(1) + y.size(1), D}, x.options());
  put(x, wx, out, 0, H, s); put(y, wy, out, x.size(1), H, s);
  return out;
}
std::vector<Tensor> join_back(Tensor x, Tensor y, Tensor wx, Tensor wy, Tensor g, int64_t H, double s) {
  Tensor gx = at::empty_like(x), gy = at::empty_like(y);
  auto fo = x.options().dtype(at::kFloat);
  Tensor gwx = at::zeros({D}, fo), gwy = at::zeros({D}, fo);
  back(x, wx, g, gx, gwx, 0, H, s); back(y, wy, g, gy, gwy, x.size(1), H, s);
  return {gx, gy, gwx, gwy};
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("join", &join); m.def("join_back", &join_back); }
