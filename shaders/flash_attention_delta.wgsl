// What both gradients of flash attention need of a query: (log-sum-exp, ⟨dy,o⟩), one thread a row.
//   o, dy [rows,WIDTH]   lse [rows]   stats [rows] of vec2f; rows = batch · queries · heads. WIDTH is a multiple of 4.
// Dispatch: ⌈rows/64⌉ groups, folded into x and y.
override WIDTH: u32 = 64u;

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> o: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec2f>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = (id.x + id.y * groups.x) * 64u + thread;
  if (row >= sizes.rows) { return; }
  var sum = vec4f(0.0);
  for (var c = row * WIDTH / 4u; c < (row + 1u) * WIDTH / 4u; c++) { sum += o[c] * dy[c]; }
  stats[row] = vec2f(lse[row], sum.x + sum.y + sum.z + sum.w);
}
