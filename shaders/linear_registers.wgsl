// needs packed_weights.wgsl
// y = x·W + bias + low·up without workgroup memory: eight rows by eight columns a thread. For adapters that run on the processor.
//   x [rows,in], in a multiple of four   bias [out]   low [rows,rank]   up [rank,out]   y [rows,out]     W [in,out] packed, frozen
//   BIAS, LORA say whether bias and low·up are there. Dispatch: groups of 64 threads over ⌈rows/8⌉ · ⌈out/8⌉ tiles.
// Sums are named, not an array: a software adapter keeps an array that a loop indexes in memory. Each load is checked against
// its buffer's end, so x comes four at a time.
override BIAS: bool = false;
override LORA: bool = false;

struct Sizes { rows: u32, inputs: u32, outputs: u32, stride: u32, group: u32, rank: u32, first: u32 }
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
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
  let four = sizes.inputs / 4u;
  let x0 = min(row0 + 0u, last) * four;
  let x1 = min(row0 + 1u, last) * four;
  let x2 = min(row0 + 2u, last) * four;
  let x3 = min(row0 + 3u, last) * four;
  let x4 = min(row0 + 4u, last) * four;
  let x5 = min(row0 + 5u, last) * four;
  let x6 = min(row0 + 6u, last) * four;
  let x7 = min(row0 + 7u, last) * four;
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
  for (var k = 0u; k < four; k++) {
    let value0 = x[x0 + k];
    let value1 = x[x1 + k];
    let value2 = x[x2 + k];
    let value3 = x[x3 + k];
    let value4 = x[x4 + k];
    let value5 = x[x5 + k];
    let value6 = x[x6 + k];
    let value7 = x[x7 + k];
    let wx = weight4(4u * k + 0u, n0, sizes.stride, sizes.group);
    let vx = weight4(4u * k + 0u, n0 + 4u, sizes.stride, sizes.group);
    a0 += value0.x * wx;
    b0 += value0.x * vx;
    a1 += value1.x * wx;
    b1 += value1.x * vx;
    a2 += value2.x * wx;
    b2 += value2.x * vx;
    a3 += value3.x * wx;
    b3 += value3.x * vx;
    a4 += value4.x * wx;
    b4 += value4.x * vx;
    a5 += value5.x * wx;
    b5 += value5.x * vx;
    a6 += value6.x * wx;
    b6 += value6.x * vx;
    a7 += value7.x * wx;
    b7 += value7.x * vx;
    let wy = weight4(4u * k + 1u, n0, sizes.stride, sizes.group);
    let vy = weight4(4u * k + 1u, n0 + 4u, sizes.stride, sizes.group);
    a0 += value0.y * wy;
    b0 += value0.y * vy;
    a1 += value1.y * wy;
    b1 += value1.y * vy;
    a2 += value2.y * wy;
    b2 += value2.y * vy;
    a3 += value3.y * wy;
    b3 += value3.y * vy;
    a4 += value4.y * wy;
    b4 += value4.y * vy;
    a5 += value5.y * wy;
    b5 += value5.y * vy;
    a6 += value6.y * wy;
    b6 += value6.y * vy;
    a7 += value7.y * wy;
    b7 += value7.y * vy;
    let wz = weight4(4u * k + 2u, n0, sizes.stride, sizes.group);
    let vz = weight4(4u * k + 2u, n0 + 4u, sizes.stride, sizes.group);
    a0 += value0.z * wz;
    b0 += value0.z * vz;
    a1 += value1.z * wz;
    b1 += value1.z * vz;
    a2 += value2.z * wz;
    b2 += value2.z * vz;
    a3 += value3.z * wz;
    b3 += value3.z * vz;
    a4 += value4.z * wz;
    b4 += value4.z * vz;
    a5 += value5.z * wz;
    b5 += value5.z * vz;
    a6 += value6.z * wz;
    b6 += value6.z * vz;
    a7 += value7.z * wz;
    b7 += value7.z * vz;
    let ww = weight4(4u * k + 3u, n0, sizes.stride, sizes.group);
    let vw = weight4(4u * k + 3u, n0 + 4u, sizes.stride, sizes.group);
    a0 += value0.w * ww;
    b0 += value0.w * vw;
    a1 += value1.w * ww;
    b1 += value1.w * vw;
    a2 += value2.w * ww;
    b2 += value2.w * vw;
    a3 += value3.w * ww;
    b3 += value3.w * vw;
    a4 += value4.w * ww;
    b4 += value4.w * vw;
    a5 += value5.w * ww;
    b5 += value5.w * vw;
    a6 += value6.w * ww;
    b6 += value6.w * vw;
    a7 += value7.w * ww;
    b7 += value7.w * vw;
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
