// First of two passes of the lambda* projection: partial sums of (<r,r>, <g,g>, <r,g>) over chunks of each row, in f32.
// r, g: [rows, size] f32. partials: [rows, chunks] vec4f (w unused). A chunk is CHUNK elements, the last one shorter.
// Dispatch: rows * chunks groups, folded into x and y; each sums strided in its threads, then thread 0 adds
// the 64 sums: one barrier, where a tree would take seven (a barrier is what costs on a software adapter).
struct Uniforms { rows: u32, size: u32, chunks: u32 };
@group(0) @binding(0) var<storage, read> r: array<f32>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(3) var<uniform> u: Uniforms;

override CHUNK: u32 = 1024u;
const THREADS = 64u;
var<workgroup> sums: array<vec3f, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let id = group.x + group.y * groups.x;
  if (id >= u.rows * u.chunks) { return; }
  let row = id / u.chunks;
  let first = (id % u.chunks) * CHUNK;
  let last = min(first + CHUNK, u.size);
  var sum = vec3f(0.0);
  for (var i = first + thread; i < last; i += THREADS) {
    let a = r[row * u.size + i];
    let b = g[row * u.size + i];
    sum += vec3f(a * a, b * b, a * b);
  }
  sums[thread] = sum;
  workgroupBarrier();
  if (thread != 0u) { return; }
  for (var i = 1u; i < THREADS; i++) { sum += sums[i]; }
  partials[id] = vec4f(sum, 0.0);
}
