// result = x + gate * y, gate broadcast over the rows of a sample, f32. RESIDUAL 0: result = gate * y, the gradient for y; x is not read.
// x, y, result: [B, rows, size], count elements, sample = rows * size of them each; gate: [B, size]. Sizes count Elements.
// Dispatch: ceil(count / 64) groups, folded into x and y.
alias Element = f32;
struct Uniforms { count: u32, sample: u32, size: u32 };
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> gate: array<Element>;
@group(0) @binding(2) var<storage, read> y: array<Element>;
@group(0) @binding(3) var<storage, read_write> result: array<Element>;
@group(0) @binding(4) var<uniform> u: Uniforms;

override RESIDUAL: u32 = 1u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= u.count) { return; }
  var value = gate[i / u.sample * u.size + i % u.size] * y[i];
  if (RESIDUAL == 1u) { value += x[i]; }
  result[i] = value;
}
