// Second pass: lambda* = clamp(<r,g> / max(<g,g>, floor), low, high) per row, with cos(r,g) and the three sums.
// partials: [rows, chunks] vec4f of lambda_star_partial.wgsl; floor: [rows] f32; the five outputs: [rows] f32.
// Where r or g is zero the cosine is 0, and where g is zero and the floor too, lambda is 0.
// Dispatch: ceil(rows / 64) groups, folded into x and y; a thread adds the partial sums of its row, 64 for a latent of 65,536.
struct Uniforms { rows: u32, chunks: u32, low: f32, high: f32 };
@group(0) @binding(0) var<storage, read> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read> floor_: array<f32>;
@group(0) @binding(2) var<storage, read_write> lambda: array<f32>;
@group(0) @binding(3) var<storage, read_write> cosine: array<f32>;
@group(0) @binding(4) var<storage, read_write> r_norm2: array<f32>;
@group(0) @binding(5) var<storage, read_write> g_norm2: array<f32>;
@group(0) @binding(6) var<storage, read_write> inner: array<f32>;
@group(0) @binding(7) var<uniform> u: Uniforms;

const TINY = 1e-30;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * 64u;
  if (row >= u.rows) { return; }
  var sum = vec3f(0.0);
  for (var i = 0u; i < u.chunks; i++) { sum += partials[row * u.chunks + i].xyz; }
  let rr = sum.x;
  let gg = sum.y;
  let rg = sum.z;
  lambda[row] = clamp(rg / max(max(gg, floor_[row]), TINY), u.low, u.high);
  cosine[row] = rg / max(sqrt(rr) * sqrt(gg), TINY);
  r_norm2[row] = rr;
  g_norm2[row] = gg;
  inner[row] = rg;
}
