// First of two passes of the norm of one flat tensor: sums of squares over chunks, and whether a chunk holds a number
// that is not finite. values: [size] f32, read as bits, because WGSL may take it that NaN and infinity do not exist.
// partials: [chunks] vec2u, the bits of the f32 sum and 0 or 1. A chunk is CHUNK elements, the last one shorter.
// Dispatch: chunks groups, folded into x and y; thread 0 adds what 64 threads summed strided (one barrier).
struct Uniforms { size: u32, chunks: u32 };
@group(0) @binding(0) var<storage, read> values: array<u32>;
@group(0) @binding(1) var<storage, read_write> partials: array<vec2u>;
@group(0) @binding(2) var<uniform> u: Uniforms;

override CHUNK: u32 = 1024u;
const THREADS = 64u;
// The exponent of NaN and of infinity.
const EXPONENT = 0x7f800000u;
var<workgroup> sums: array<f32, THREADS>;
var<workgroup> flags: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let chunk = group.x + group.y * groups.x;
  if (chunk >= u.chunks) { return; }
  let last = min((chunk + 1u) * CHUNK, u.size);
  var sum = 0.0;
  var flag = 0u;
  for (var i = chunk * CHUNK + thread; i < last; i += THREADS) {
    let bits = values[i];
    if ((bits & EXPONENT) == EXPONENT) {
      flag = 1u;
    } else {
      let value = bitcast<f32>(bits);
      sum += value * value;
    }
  }
  sums[thread] = sum;
  flags[thread] = flag;
  workgroupBarrier();
  if (thread != 0u) { return; }
  for (var i = 1u; i < THREADS; i++) {
    sum += sums[i];
    flag |= flags[i];
  }
  partials[chunk] = vec2u(bitcast<u32>(sum), flag);
}
