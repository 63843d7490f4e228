// c[b,i,j] = sum_k a(b,i,k) * b(b,k,j) (+ bias[j]), f32, by strides, so that transposes and shared batches cost nothing.
// A thread holds a 4x4 tile in registers; no workgroup memory and no barrier, which is what a software adapter wants.
// c: [batch, m, n]. bias: [n], read only where BIAS is 1. Strides in elements: (batch, row, column) of a as [m,k], b as [k,n].
// Dispatch: ceil(batch * ceil(m/4) * ceil(n/4) / 64) groups, folded into x and y.
struct Uniforms { batch: u32, m: u32, k: u32, n: u32, a_batch: u32, a_row: u32, a_column: u32, b_batch: u32, b_row: u32, b_column: u32 };
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

override BIAS: u32 = 0u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let tiles_m = (u.m + 3u) / 4u;
  let tiles_n = (u.n + 3u) / 4u;
  let tile = id.x + id.y * groups.x * 64u;
  if (tile >= u.batch * tiles_m * tiles_n) { return; }
  let element = tile / (tiles_m * tiles_n);
  let i0 = (tile / tiles_n % tiles_m) * 4u;
  let j0 = (tile % tiles_n) * 4u;
  // rows and columns beyond the edge repeat the last one and are not written
  let rows = element * u.a_batch + min(vec4u(i0) + vec4u(0u, 1u, 2u, 3u), vec4u(u.m - 1u)) * u.a_row;
  let columns = element * u.b_batch + min(vec4u(j0) + vec4u(0u, 1u, 2u, 3u), vec4u(u.n - 1u)) * u.b_column;
  var sums: array<vec4f, 4>;
  for (var k = 0u; k < u.k; k++) {
    let at_a = rows + k * u.a_column;
    let at_b = columns + k * u.b_row;
    let right = vec4f(b[at_b.x], b[at_b.y], b[at_b.z], b[at_b.w]);
    sums[0] += a[at_a.x] * right;
    sums[1] += a[at_a.y] * right;
    sums[2] += a[at_a.z] * right;
    sums[3] += a[at_a.w] * right;
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (i0 + i >= u.m || j0 + j >= u.n) { continue; }
      var value = sums[i][j];
      if (BIAS == 1u) { value += bias[j0 + j]; }
      c[(element * u.m + i0 + i) * u.n + j0 + j] = value;
    }
  }
}
