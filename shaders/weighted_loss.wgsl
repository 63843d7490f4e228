// Second pass: the mean of each term's squares over a row.
// partials: [rows, chunks] vec2f of weighted_loss_partial.wgsl. mean0, mean1: [rows] f32.
// Dispatch: ceil(rows / 64) groups, folded into x and y; a thread adds the partial sums of its row, 64 for a latent of 65,536.
struct Uniforms { rows: u32, chunks: u32, scale: f32 };
@group(0) @binding(0) var<storage, read> partials: array<vec2f>;
@group(0) @binding(1) var<storage, read_write> mean0: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean1: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * 64u;
  if (row >= u.rows) { return; }
  var sum = vec2f(0.0);
  for (var i = 0u; i < u.chunks; i++) { sum += partials[row * u.chunks + i]; }
  mean0[row] = sum.x * u.scale;
  mean1[row] = sum.y * u.scale;
}
