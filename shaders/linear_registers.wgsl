// needs packed_weights.wgsl
// y = x·W + bias + low·up without workgroup memory: eight rows by eight columns a thread. For adapters that run on the processor.
//   x [rows,in]   bias [out]   low [rows,rank]   up [rank,out]   y [rows,out]     W [in,out] packed, frozen
//   BIAS, LORA say whether bias and low·up are there. Dispatch: groups of 64 threads over ⌈rows/8⌉ · ⌈out/8⌉ tiles.
// Sums are named, not an array: a software adapter keeps an array that a loop indexes in memory.
override BIAS: bool = false;
override LORA: bool = false;

struct Sizes { rows: u32, inputs: u32, outputs: u32, stride: u32, group: u32, rank: u32, first: u32 }
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> low: array<f32>;
@group(0) @binding(5) var<storage, read> up: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<uniform> sizes: Sizes;

// Adds what does not depend on x and stores the columns that exist.
fn finish(row: u32, n: u32, sum: vec4f) {
  if (row >= sizes.rows) { return; }
  for (var j = 0u; j < min(4u, max(sizes.outputs, n) - n); j++) {
    var value = sum[j];
    if (BIAS) { value += bias[n + j]; }
    if (LORA) { for (var r = 0u; r < sizes.rank; r++) { value += low[row * sizes.rank + r] * up[r * sizes.outputs + n + j]; } }
    y[row * sizes.outputs + n + j] = value;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let across = (sizes.outputs + 7u) / 8u;
  let tile = (sizes.first + id.x + id.y * groups.x) * 64u + thread;
  let row0 = (tile / across) * 8u;
  if (row0 >= sizes.rows) { return; }
  let n0 = (tile % across) * 8u;
  // Rows beyond the last are computed as copies of it and not stored.
  let last = sizes.rows - 1u;
  let x0 = min(row0 + 0u, last) * sizes.inputs;
  let x1 = min(row0 + 1u, last) * sizes.inputs;
  let x2 = min(row0 + 2u, last) * sizes.inputs;
  let x3 = min(row0 + 3u, last) * sizes.inputs;
  let x4 = min(row0 + 4u, last) * sizes.inputs;
  let x5 = min(row0 + 5u, last) * sizes.inputs;
  let x6 = min(row0 + 6u, last) * sizes.inputs;
  let x7 = min(row0 + 7u, last) * sizes.inputs;
  var a0 = vec4f(0.0);
  var b0 = vec4f(0.0);
  var a1 = vec4f(0.0);
  var b1 = vec4f(0.0);
  var a2 = vec4f(0.0);
  var b2 = vec4f(0.0);
  var a3 = vec4f(0.0);
  var b3 = vec4f(0.0);
  var a4 = vec4f(0.0);
  var b4 = vec4f(0.0);
  var a5 = vec4f(0.0);
  var b5 = vec4f(0.0);
  var a6 = vec4f(0.0);
  var b6 = vec4f(0.0);
  var a7 = vec4f(0.0);
  var b7 = vec4f(0.0);
  for (var k = 0u; k < sizes.inputs; k++) {
    let w = weight4(k, n0, sizes.stride, sizes.group);
    let v = weight4(k, n0 + 4u, sizes.stride, sizes.group);
    let value0 = x[x0 + k];
    a0 += value0 * w;
    b0 += value0 * v;
    let value1 = x[x1 + k];
    a1 += value1 * w;
    b1 += value1 * v;
    let value2 = x[x2 + k];
    a2 += value2 * w;
    b2 += value2 * v;
    let value3 = x[x3 + k];
    a3 += value3 * w;
    b3 += value3 * v;
    let value4 = x[x4 + k];
    a4 += value4 * w;
    b4 += value4 * v;
    let value5 = x[x5 + k];
    a5 += value5 * w;
    b5 += value5 * v;
    let value6 = x[x6 + k];
    a6 += value6 * w;
    b6 += value6 * v;
    let value7 = x[x7 + k];
    a7 += value7 * w;
    b7 += value7 * v;
  }
  finish(row0 + 0u, n0, a0);
  finish(row0 + 0u, n0 + 4u, b0);
  finish(row0 + 1u, n0, a1);
  finish(row0 + 1u, n0 + 4u, b1);
  finish(row0 + 2u, n0, a2);
  finish(row0 + 2u, n0 + 4u, b2);
  finish(row0 + 3u, n0, a3);
  finish(row0 + 3u, n0 + 4u, b3);
  finish(row0 + 4u, n0, a4);
  finish(row0 + 4u, n0 + 4u, b4);
  finish(row0 + 5u, n0, a5);
  finish(row0 + 5u, n0 + 4u, b5);
  finish(row0 + 6u, n0, a6);
  finish(row0 + 6u, n0 + 4u, b6);
  finish(row0 + 7u, n0, a7);
  finish(row0 + 7u, n0 + 4u, b7);
}
