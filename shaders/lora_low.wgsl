// low[m,r] = scale · Σ_c x[m,c] · f[c,r]: the narrow half of a LoRA, forward (x·A) and backward (dy·Bᵀ).
//   x [rows,columns]   f: element (c, r) at c·stepColumn + r·stepRank   low [rows,rank]
// Dispatch: groups of 64 threads over rows · rank results.
struct Sizes { rows: u32, columns: u32, rank: u32, stepColumn: u32, stepRank: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> f: array<f32>;
@group(0) @binding(2) var<storage, read_write> low: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (id.x + id.y * groups.x) * 64u + thread;
  if (index >= sizes.rows * sizes.rank) { return; }
  let row = (index / sizes.rank) * sizes.columns;
  let r = (index % sizes.rank) * sizes.stepRank;
  // Four sums side by side: shorter dependency chains, smaller rounding error.
  var sums = vec4f(0.0);
  let even = sizes.columns & ~3u;
  for (var c = 0u; c < even; c += 4u) {
    let at = r + c * sizes.stepColumn;
    sums += vec4f(x[row + c], x[row + c + 1u], x[row + c + 2u], x[row + c + 3u])
      * vec4f(f[at], f[at + sizes.stepColumn], f[at + 2u * sizes.stepColumn], f[at + 3u * sizes.stepColumn]);
  }
  for (var c = even; c < sizes.columns; c++) { sums.x += x[row + c] * f[r + c * sizes.stepColumn]; }
  low[index] = sizes.scale * ((sums.x + sums.y) + (sums.z + sums.w));
}
