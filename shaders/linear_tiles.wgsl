// needs packed_weights.wgsl
// y = x·W + bias + low·up for one tile of SIDE × SIDE results, SIDE = 4·THREADS, four by four a thread.
//   x [rows,in]   bias [out]   low [rows,rank]   up [rank,out]   y [rows,out]     W [in,out] packed, frozen
//   BIAS, LORA say whether bias and low·up are there. Dispatch: one group of THREADS² a tile, tiles of a row first.
// DEPTH input features at a time go through workgroup memory, as vectors over four rows (x) and over four columns (W).
override THREADS: u32 = 16u;
override DEPTH: u32 = 16u;
override BIAS: bool = false;
override LORA: bool = false;

struct Sizes { rows: u32, inputs: u32, outputs: u32, stride: u32, group: u32, rank: u32, first: u32 }
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> low: array<f32>;
@group(0) @binding(5) var<storage, read> up: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<uniform> sizes: Sizes;

var<workgroup> left: array<vec4f, THREADS * DEPTH>;
var<workgroup> right: array<vec4f, THREADS * DEPTH>;

fn xAt(row: u32, k: u32) -> f32 {
  if (row >= sizes.rows || k >= sizes.inputs) { return 0.0; }
  return x[row * sizes.inputs + k];
}

@compute @workgroup_size(THREADS, THREADS)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) thread: u32) {
  let side = 4u * THREADS;
  let across = (sizes.outputs + side - 1u) / side;
  let tile = sizes.first + id.x + id.y * groups.x;
  let row0 = (tile / across) * side;
  let column0 = (tile % across) * side;
  var sums: array<vec4f, 4>;
  for (var k0 = 0u; k0 < sizes.inputs; k0 += DEPTH) {
    for (var i = thread; i < THREADS * DEPTH; i += THREADS * THREADS) {
      let row = row0 + 4u * (i / DEPTH);
      let k = k0 + i % DEPTH;
      left[(i % DEPTH) * THREADS + i / DEPTH] = vec4f(xAt(row, k), xAt(row + 1u, k), xAt(row + 2u, k), xAt(row + 3u, k));
    }
    for (var i = thread; i < THREADS * DEPTH; i += THREADS * THREADS) {
      let k = k0 + i / THREADS;
      let column = column0 + 4u * (i % THREADS);
      var w = vec4f(0.0);
      if (k < sizes.inputs && column < sizes.stride) { w = weight4(k, column, sizes.stride, sizes.group); }
      right[i] = w;
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let a = left[k * THREADS + local.y];
      let b = right[k * THREADS + local.x];
      sums[0] += a.x * b;
      sums[1] += a.y * b;
      sums[2] += a.z * b;
      sums[3] += a.w * b;
    }
    workgroupBarrier();
  }
  let column = column0 + 4u * local.x;
  for (var i = 0u; i < 4u; i++) {
    let row = row0 + 4u * local.y + i;
    if (row >= sizes.rows) { break; }
    for (var j = 0u; j < 4u; j++) {
      let n = column + j;
      if (n >= sizes.outputs) { break; }
      var value = sums[i][j];
      if (BIAS) { value += bias[n]; }
      if (LORA) { for (var r = 0u; r < sizes.rank; r++) { value += low[row * sizes.rank + r] * up[r * sizes.outputs + n]; } }
      y[row * sizes.outputs + n] = value;
    }
  }
}
