// One AdamW step in place over a flat group of parameters: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g², with g the gradient,
// clipped where limit is not 0, then values -= shrink values + rate m / (sqrt(v) inverse_root + epsilon).
// gradient: [size] f32. norms: [groups, 2] f32 of global_norm.wgsl; row `own` is this gradient's, and where any of the
// flags is set nothing is written. values, m, v: [size] f32, in place.
// Dispatch: ceil(size / 64) groups, folded into x and y.
struct Uniforms {
  size: u32, groups: u32, own: u32, limit: f32,
  beta1: f32, one_minus_beta1: f32, beta2: f32, one_minus_beta2: f32,
  rate: f32, inverse_root: f32, epsilon: f32, shrink: f32,
};
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read> norms: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
@group(0) @binding(5) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= u.size) { return; }
  for (var group = 0u; group < u.groups; group++) {
    if (norms[group].y != 0.0) { return; }
  }
  // What PyTorch's clip_grad_norm_ adds, too.
  let norm = norms[u.own].x + 1e-6;
  let scale = select(1.0, min(1.0, u.limit / norm), u.limit > 0.0);
  let g = gradient[i] * scale;
  let mean = u.beta1 * m[i] + u.one_minus_beta1 * g;
  let square = u.beta2 * v[i] + u.one_minus_beta2 * g * g;
  m[i] = mean;
  v[i] = square;
  // Both parts are far smaller than the value: added first, they are rounded once.
  values[i] -= u.shrink * values[i] + u.rate * mean / (sqrt(square) * u.inverse_root + u.epsilon);
}
