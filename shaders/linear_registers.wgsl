// needs packed_weights.wgsl
// y = x·W + bias + low·up without workgroup memory: eight rows by eight columns a thread. For adapters that run on the processor.
//   x [rows,in]   bias [out]   low [rows,rank]   up [rank,out]   y [rows,out]     W [in,out] packed, frozen
//   BIAS, LORA say whether bias and low·up are there. Dispatch: groups of 64 threads over ⌈rows/8⌉ · ⌈out/8⌉ tiles.
override BIAS: bool = false;
override LORA: bool = false;

struct Sizes { rows: u32, inputs: u32, outputs: u32, stride: u32, group: u32, rank: u32 }
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> low: array<f32>;
@group(0) @binding(5) var<storage, read> up: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<uniform> sizes: Sizes;

fn bias4(n: u32) -> vec4f {
  let last = sizes.outputs - 1u;
  return vec4f(bias[n], bias[min(n + 1u, last)], bias[min(n + 2u, last)], bias[min(n + 3u, last)]);
}

fn up4(r: u32, n: u32) -> vec4f {
  let last = sizes.outputs - 1u;
  let at = r * sizes.outputs;
  return vec4f(up[at + n], up[at + min(n + 1u, last)], up[at + min(n + 2u, last)], up[at + min(n + 3u, last)]);
}

fn store4(row: u32, n: u32, value: vec4f) {
  for (var j = 0u; j < 4u; j++) {
    if (n + j < sizes.outputs) { y[row * sizes.outputs + n + j] = value[j]; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let across = (sizes.outputs + 7u) / 8u;
  let tile = (id.x + id.y * groups.x) * 64u + thread;
  let row0 = (tile / across) * 8u;
  if (row0 >= sizes.rows) { return; }
  let n0 = (tile % across) * 8u;
  let n1 = min(n0 + 4u, sizes.outputs - 1u);
  // Rows beyond the last are computed as copies of it and not stored.
  var at: array<u32, 8>;
  for (var i = 0u; i < 8u; i++) { at[i] = min(row0 + i, sizes.rows - 1u) * sizes.inputs; }
  var a: array<vec4f, 8>;
  var b: array<vec4f, 8>;
  for (var k = 0u; k < sizes.inputs; k++) {
    let w0 = weight4(k, n0, sizes.stride, sizes.group);
    let w1 = weight4(k, n0 + 4u, sizes.stride, sizes.group);
    for (var i = 0u; i < 8u; i++) {
      let value = x[at[i] + k];
      a[i] += value * w0;
      b[i] += value * w1;
    }
  }
  for (var i = 0u; i < 8u; i++) {
    let row = row0 + i;
    if (row >= sizes.rows) { break; }
    if (BIAS) {
      a[i] += bias4(n0);
      b[i] += bias4(n1);
    }
    if (LORA) {
      for (var r = 0u; r < sizes.rank; r++) {
        let value = low[row * sizes.rank + r];
        a[i] += value * up4(r, n0);
        b[i] += value * up4(r, n1);
      }
    }
    store4(row, n0, a[i]);
    store4(row, n0 + 4u, b[i]);
  }
}
