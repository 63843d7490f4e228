// needs packed_weights.wgsl
// dx = dy·Wᵀ + dLow·downᵀ for one tile of SIDE × SIDE results, SIDE = 4·THREADS, four by four a thread.
//   dy [rows,out]   dLow [rows,rank]   down [in,rank]   dx [rows,in]     W [in,out] packed, frozen: read along its rows
//   LORA says whether dLow·downᵀ is there. Dispatch: one group of THREADS² a tile, tiles of a row first.
// Four output features are one vector on both sides, so a product is a dot; lines are one vector longer than DEPTH, against bank conflicts.
override THREADS: u32 = 16u;
override DEPTH: u32 = 4u;
override LORA: bool = false;

struct Sizes { rows: u32, inputs: u32, outputs: u32, stride: u32, group: u32, rank: u32, first: u32 }
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> dLow: array<f32>;
@group(0) @binding(4) var<storage, read> down: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

var<workgroup> left: array<vec4f, 4 * THREADS * (DEPTH + 1)>;
var<workgroup> right: array<vec4f, 4 * THREADS * (DEPTH + 1)>;

fn dyAt(row: u32, n: u32) -> f32 {
  if (n >= sizes.outputs) { return 0.0; }
  return dy[row * sizes.outputs + n];
}

@compute @workgroup_size(THREADS, THREADS)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) thread: u32) {
  let side = 4u * THREADS;
  let line = DEPTH + 1u;
  let across = (sizes.inputs + side - 1u) / side;
  let tile = sizes.first + id.x + id.y * groups.x;
  let row0 = (tile / across) * side;
  let k0 = (tile % across) * side;
  var sums: array<vec4f, 4>;
  for (var n0 = 0u; n0 < sizes.outputs; n0 += 4u * DEPTH) {
    for (var i = thread; i < side * DEPTH; i += THREADS * THREADS) {
      let n = n0 + 4u * (i % DEPTH);
      let at = (i / DEPTH) * line + i % DEPTH;
      let row = row0 + i / DEPTH;
      var d = vec4f(0.0);
      if (row < sizes.rows) { d = vec4f(dyAt(row, n), dyAt(row, n + 1u), dyAt(row, n + 2u), dyAt(row, n + 3u)); }
      left[at] = d;
      let k = k0 + i / DEPTH;
      var w = vec4f(0.0);
      if (k < sizes.inputs && n < sizes.stride) { w = weight4(k, n, sizes.stride, sizes.group); }
      right[at] = w;
    }
    workgroupBarrier();
    for (var n = 0u; n < DEPTH; n++) {
      let b0 = right[local.x * line + n];
      let b1 = right[(local.x + THREADS) * line + n];
      let b2 = right[(local.x + 2u * THREADS) * line + n];
      let b3 = right[(local.x + 3u * THREADS) * line + n];
      let a0 = left[local.y * line + n];
      let a1 = left[(local.y + THREADS) * line + n];
      let a2 = left[(local.y + 2u * THREADS) * line + n];
      let a3 = left[(local.y + 3u * THREADS) * line + n];
      sums[0] += vec4f(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
      sums[1] += vec4f(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
      sums[2] += vec4f(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
      sums[3] += vec4f(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = row0 + local.y + i * THREADS;
    if (row >= sizes.rows) { break; }
    for (var j = 0u; j < 4u; j++) {
      let k = k0 + local.x + j * THREADS;
      if (k >= sizes.inputs) { break; }
      var value = sums[i][j];
      if (LORA) { for (var r = 0u; r < sizes.rank; r++) { value += dLow[row * sizes.rank + r] * down[k * sizes.rank + r]; } }
      dx[row * sizes.inputs + k] = value;
    }
  }
}
