// y = softmax(x) over the last axis, f32, one thread a row, no barrier; right for any number of rows.
// x, y: [rows, size]. Dispatch: ceil(rows / 64) groups, folded into x and y.
struct Uniforms { rows: u32, size: u32 };
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * 64u;
  if (row >= u.rows) { return; }
  let first = row * u.size;
  var top = x[first];
  for (var i = 1u; i < u.size; i++) { top = max(top, x[first + i]); }
  var sum = 0.0;
  for (var i = 0u; i < u.size; i++) {
    let value = exp(x[first + i] - top);
    y[first + i] = value;
    sum += value;
  }
  for (var i = 0u; i < u.size; i++) { y[first + i] /= sum; }
}
