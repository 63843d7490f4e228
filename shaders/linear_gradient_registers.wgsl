// needs packed_weights.wgsl
// dx = dy·Wᵀ + dLow·downᵀ without workgroup memory: eight rows by eight input features a thread, four output features a step.
//   dy [rows,out], out a multiple of four   dLow [rows,rank]   down [in,rank]   dx [rows,in]     W [in,out] packed, frozen: read along its rows
//   LORA says whether dLow·downᵀ is there. Dispatch: groups of 64 threads over ⌈rows/8⌉ · ⌈in/8⌉ tiles.
// Sums are named, not an array: a software adapter keeps an array that a loop indexes in memory.
override LORA: bool = false;

struct Sizes { rows: u32, inputs: u32, outputs: u32, stride: u32, group: u32, rank: u32, first: u32 }
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read> dLow: array<f32>;
@group(0) @binding(4) var<storage, read> down: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

fn finish(row: u32, k: u32, sum: vec4f) {
  if (row >= sizes.rows) { return; }
  for (var j = 0u; j < min(4u, max(sizes.inputs, k) - k); j++) {
    var value = sum[j];
    if (LORA) { for (var r = 0u; r < sizes.rank; r++) { value += dLow[row * sizes.rank + r] * down[(k + j) * sizes.rank + r]; } }
    dx[row * sizes.inputs + k + j] = value;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let across = (sizes.inputs + 7u) / 8u;
  let tile = (sizes.first + id.x + id.y * groups.x) * 64u + thread;
  let row0 = (tile / across) * 8u;
  if (row0 >= sizes.rows) { return; }
  let k0 = (tile % across) * 8u;
  // Rows and inputs beyond the last are computed as copies of it and not stored.
  let lastRow = sizes.rows - 1u;
  let four = sizes.outputs / 4u;
  let lastInput = sizes.inputs - 1u;
  let line0 = min(row0 + 0u, lastRow) * four;
  let in0 = min(k0 + 0u, lastInput);
  let line1 = min(row0 + 1u, lastRow) * four;
  let in1 = min(k0 + 1u, lastInput);
  let line2 = min(row0 + 2u, lastRow) * four;
  let in2 = min(k0 + 2u, lastInput);
  let line3 = min(row0 + 3u, lastRow) * four;
  let in3 = min(k0 + 3u, lastInput);
  let line4 = min(row0 + 4u, lastRow) * four;
  let in4 = min(k0 + 4u, lastInput);
  let line5 = min(row0 + 5u, lastRow) * four;
  let in5 = min(k0 + 5u, lastInput);
  let line6 = min(row0 + 6u, lastRow) * four;
  let in6 = min(k0 + 6u, lastInput);
  let line7 = min(row0 + 7u, lastRow) * four;
  let in7 = min(k0 + 7u, lastInput);
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
  for (var n = 0u; n < four; n++) {
    let w0 = weight4(in0, 4u * n, sizes.stride, sizes.group);
    let w1 = weight4(in1, 4u * n, sizes.stride, sizes.group);
    let w2 = weight4(in2, 4u * n, sizes.stride, sizes.group);
    let w3 = weight4(in3, 4u * n, sizes.stride, sizes.group);
    let w4 = weight4(in4, 4u * n, sizes.stride, sizes.group);
    let w5 = weight4(in5, 4u * n, sizes.stride, sizes.group);
    let w6 = weight4(in6, 4u * n, sizes.stride, sizes.group);
    let w7 = weight4(in7, 4u * n, sizes.stride, sizes.group);
    let d0 = dy[line0 + n];
    a0 += vec4f(dot(d0, w0), dot(d0, w1), dot(d0, w2), dot(d0, w3));
    b0 += vec4f(dot(d0, w4), dot(d0, w5), dot(d0, w6), dot(d0, w7));
    let d1 = dy[line1 + n];
    a1 += vec4f(dot(d1, w0), dot(d1, w1), dot(d1, w2), dot(d1, w3));
    b1 += vec4f(dot(d1, w4), dot(d1, w5), dot(d1, w6), dot(d1, w7));
    let d2 = dy[line2 + n];
    a2 += vec4f(dot(d2, w0), dot(d2, w1), dot(d2, w2), dot(d2, w3));
    b2 += vec4f(dot(d2, w4), dot(d2, w5), dot(d2, w6), dot(d2, w7));
    let d3 = dy[line3 + n];
    a3 += vec4f(dot(d3, w0), dot(d3, w1), dot(d3, w2), dot(d3, w3));
    b3 += vec4f(dot(d3, w4), dot(d3, w5), dot(d3, w6), dot(d3, w7));
    let d4 = dy[line4 + n];
    a4 += vec4f(dot(d4, w0), dot(d4, w1), dot(d4, w2), dot(d4, w3));
    b4 += vec4f(dot(d4, w4), dot(d4, w5), dot(d4, w6), dot(d4, w7));
    let d5 = dy[line5 + n];
    a5 += vec4f(dot(d5, w0), dot(d5, w1), dot(d5, w2), dot(d5, w3));
    b5 += vec4f(dot(d5, w4), dot(d5, w5), dot(d5, w6), dot(d5, w7));
    let d6 = dy[line6 + n];
    a6 += vec4f(dot(d6, w0), dot(d6, w1), dot(d6, w2), dot(d6, w3));
    b6 += vec4f(dot(d6, w4), dot(d6, w5), dot(d6, w6), dot(d6, w7));
    let d7 = dy[line7 + n];
    a7 += vec4f(dot(d7, w0), dot(d7, w1), dot(d7, w2), dot(d7, w3));
    b7 += vec4f(dot(d7, w4), dot(d7, w5), dot(d7, w6), dot(d7, w7));
  }
  finish(row0 + 0u, k0, a0);
  finish(row0 + 0u, k0 + 4u, b0);
  finish(row0 + 1u, k0, a1);
  finish(row0 + 1u, k0 + 4u, b1);
  finish(row0 + 2u, k0, a2);
  finish(row0 + 2u, k0 + 4u, b2);
  finish(row0 + 3u, k0, a3);
  finish(row0 + 3u, k0 + 4u, b3);
  finish(row0 + 4u, k0, a4);
  finish(row0 + 4u, k0 + 4u, b4);
  finish(row0 + 5u, k0, a5);
  finish(row0 + 5u, k0 + 4u, b5);
  finish(row0 + 6u, k0, a6);
  finish(row0 + 6u, k0 + 4u, b6);
  finish(row0 + 7u, k0, a7);
  finish(row0 + 7u, k0 + 4u, b7);
}
