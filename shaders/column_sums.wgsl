// sums[b,c,i] = sum of dy[b,n,i] * factor over the rows n of chunk c, f32: the gradients of what is broadcast over rows.
// FACTOR 0: 1 (a shift); 1: f[b,n,i] (a gate); 2: (f[b,n,i] - mean) * r, with (mean, r) = statistics[b,n] (a scale).
// dy, f: [B, rows, size]; statistics: [B, rows, 2]; sums: [B, ceil(rows / chunk), size], count its elements.
// Sizes count Elements. What a factor does not need is bound and not read. Dispatch: ceil(count / 64) groups, folded into x and y.
alias Element = f32;
struct Uniforms { count: u32, rows: u32, size: u32, chunk: u32 };
@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read> f: array<Element>;
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<Element>;
@group(0) @binding(4) var<uniform> u: Uniforms;

override FACTOR: u32 = 0u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= u.count) { return; }
  let chunks = (u.rows + u.chunk - 1u) / u.chunk;
  let part = at / u.size;
  let sample = part / chunks;
  let first = part % chunks * u.chunk;
  let last = min(first + u.chunk, u.rows);
  var sum = Element(0.0);
  for (var n = first; n < last; n++) {
    let row = sample * u.rows + n;
    let i = row * u.size + at % u.size;
    var value = dy[i];
    if (FACTOR == 1u) { value *= f[i]; }
    if (FACTOR == 2u) { value *= (f[i] - statistics[2u * row]) * statistics[2u * row + 1u]; }
    sum += value;
  }
  sums[at] = sum;
}
