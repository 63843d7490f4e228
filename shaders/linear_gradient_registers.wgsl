// needs packed_weights.wgsl
// dx = dy·Wᵀ + dLow·downᵀ without workgroup memory: four rows by four input features a thread, four output features a step.
//   dy [rows,out]   dLow [rows,rank]   down [in,rank]   dx [rows,in]     W [in,out] packed, frozen: read along its rows
//   LORA says whether dLow·downᵀ is there. Dispatch: groups of 64 threads over ⌈rows/4⌉ · ⌈in/4⌉ tiles.
override LORA: bool = false;

struct Sizes { rows: u32, inputs: u32, outputs: u32, stride: u32, group: u32, rank: u32 }
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> dLow: array<f32>;
@group(0) @binding(4) var<storage, read> down: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

// Zero beyond the last output feature: the padding of W need not be zero then.
fn dy4(row: u32, n: u32) -> vec4f {
  let at = row * sizes.outputs + n;
  if (n + 4u <= sizes.outputs) { return vec4f(dy[at], dy[at + 1u], dy[at + 2u], dy[at + 3u]); }
  var d = vec4f(0.0);
  for (var j = 0u; j < sizes.outputs - n; j++) { d[j] = dy[at + j]; }
  return d;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let across = (sizes.inputs + 3u) / 4u;
  let tile = (id.x + id.y * groups.x) * 64u + thread;
  let row0 = (tile / across) * 4u;
  if (row0 >= sizes.rows) { return; }
  let k0 = (tile % across) * 4u;
  let lastRow = sizes.rows - 1u;
  let lastInput = sizes.inputs - 1u;
  // sums[4·i + j]: partial products of row i and input j over four output features, added up at the end.
  var sums: array<vec4f, 16>;
  for (var n = 0u; n < sizes.outputs; n += 4u) {
    let w0 = weight4(k0, n, sizes.stride, sizes.group);
    let w1 = weight4(min(k0 + 1u, lastInput), n, sizes.stride, sizes.group);
    let w2 = weight4(min(k0 + 2u, lastInput), n, sizes.stride, sizes.group);
    let w3 = weight4(min(k0 + 3u, lastInput), n, sizes.stride, sizes.group);
    for (var i = 0u; i < 4u; i++) {
      let d = dy4(min(row0 + i, lastRow), n);
      sums[4u * i] += d * w0;
      sums[4u * i + 1u] += d * w1;
      sums[4u * i + 2u] += d * w2;
      sums[4u * i + 3u] += d * w3;
    }
  }
  for (var i = 0u; i < 4u; i++) {
    let row = row0 + i;
    if (row >= sizes.rows) { break; }
    for (var j = 0u; j < 4u; j++) {
      let k = k0 + j;
      if (k >= sizes.inputs) { break; }
      let s = sums[4u * i + j];
      var value = (s.x + s.y) + (s.z + s.w);
      if (LORA) { for (var r = 0u; r < sizes.rank; r++) { value += dLow[row * sizes.rank + r] * down[k * sizes.rank + r]; } }
      dx[row * sizes.inputs + k] = value;
    }
  }
}
