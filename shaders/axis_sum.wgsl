// y[o,i] = scale * sum_r x[o,r,i], f32: sums and means over any run of axes, one thread a sum, no barrier.
// x: [outer, size, inner]; y: [outer, inner], count = outer * inner. Dispatch: ceil(count / 64) groups, folded into x and y.
struct Uniforms { count: u32, size: u32, inner: u32, scale: f32 };
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= u.count) { return; }
  let first = at / u.inner * u.size * u.inner + at % u.inner;
  // four running sums: shorter chains, and smaller rounding errors
  var sums = vec4f(0.0);
  for (var r = 0u; r < u.size; r++) { sums[r % 4u] += x[first + r * u.inner]; }
  y[at] = u.scale * (sums.x + sums.y + sums.z + sums.w);
}
