// Squared distances of up to two pairs of tensors, and the weighted sum of their gradients, in one pass:
// d_t = keep_t[row]·(left_t - right_t), gradient = weight_0·d_0 + weight_1·d_1, partials = sums of d_t² over chunks of a row.
// left, right, gradient: [rows, size] f32. keep: [rows] f32, read only where KEPT has the term's bit. partials: [rows, chunks]
// vec2f. With TERMS 1 the second pair is bound to the first and never read. A chunk is CHUNK elements, the last one shorter.
// Dispatch: rows * chunks groups, folded into x and y; thread 0 adds what 64 threads summed strided (one barrier).
struct Uniforms { rows: u32, size: u32, chunks: u32, weight0: f32, weight1: f32 };
@group(0) @binding(0) var<storage, read> left0: array<f32>;
@group(0) @binding(1) var<storage, read> right0: array<f32>;
@group(0) @binding(2) var<storage, read> keep0: array<f32>;
@group(0) @binding(3) var<storage, read> left1: array<f32>;
@group(0) @binding(4) var<storage, read> right1: array<f32>;
@group(0) @binding(5) var<storage, read> keep1: array<f32>;
@group(0) @binding(6) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(7) var<storage, read_write> partials: array<vec2f>;
@group(0) @binding(8) var<uniform> u: Uniforms;

override CHUNK: u32 = 1024u;
override TERMS: u32 = 1u;
override KEPT: u32 = 0u;
const THREADS = 64u;
var<workgroup> sums: array<vec2f, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let id = group.x + group.y * groups.x;
  if (id >= u.rows * u.chunks) { return; }
  let row = id / u.chunks;
  let first = (id % u.chunks) * CHUNK;
  let last = min(first + CHUNK, u.size);
  var keep = vec2f(1.0);
  if ((KEPT & 1u) != 0u) { keep.x = keep0[row]; }
  if ((KEPT & 2u) != 0u) { keep.y = keep1[row]; }
  var sum = vec2f(0.0);
  for (var i = row * u.size + first + thread; i < row * u.size + last; i += THREADS) {
    var d = vec2f(left0[i] - right0[i], 0.0);
    if (TERMS > 1u) { d.y = left1[i] - right1[i]; }
    d *= keep;
    gradient[i] = u.weight0 * d.x + u.weight1 * d.y;
    sum += d * d;
  }
  sums[thread] = sum;
  workgroupBarrier();
  if (thread != 0u) { return; }
  for (var i = 1u; i < THREADS; i++) { sum += sums[i]; }
  partials[id] = sum;
}
