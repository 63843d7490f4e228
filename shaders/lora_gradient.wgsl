// Partial sums over a slice of rows of the gradient of a LoRA factor: part[s,c,r] = Σ_m wide[m,c] · narrow[m,r].
//   wide [rows,columns] (x for A, dy for B)   narrow [rows,rank] (dLow for A, low for B)
//   part: element (s, c, r) at s·columns·rank + c·stepColumn + r·stepRank, so that A comes out as [in,r] and B as [r,out]
// Dispatch: groups of 64 threads over slices · columns · ⌈rank/4⌉. A second pass adds up the slices.
struct Sizes { rows: u32, columns: u32, rank: u32, stepColumn: u32, stepRank: u32, slice: u32, slices: u32 }
@group(0) @binding(0) var<storage, read> wide: array<f32>;
@group(0) @binding(1) var<storage, read> narrow: array<f32>;
@group(0) @binding(2) var<storage, read_write> part: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (id.x + id.y * groups.x) * 64u + thread;
  let fours = (sizes.rank + 3u) / 4u;
  if (index >= sizes.slices * sizes.columns * fours) { return; }
  let c = index % sizes.columns;
  let r = 4u * ((index / sizes.columns) % fours);
  let s = index / (sizes.columns * fours);
  let last = sizes.rank - 1u;
  var sum = vec4f(0.0);
  for (var m = s * sizes.slice; m < min(sizes.rows, (s + 1u) * sizes.slice); m++) {
    let at = m * sizes.rank;
    sum += wide[m * sizes.columns + c] * vec4f(narrow[at + r], narrow[at + min(r + 1u, last)], narrow[at + min(r + 2u, last)], narrow[at + min(r + 3u, last)]);
  }
  for (var j = 0u; j < min(4u, sizes.rank - r); j++) {
    part[s * sizes.columns * sizes.rank + c * sizes.stepColumn + (r + j) * sizes.stepRank] = sum[j];
  }
}
