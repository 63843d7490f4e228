// Second pass: the square root of the chunks' sums, and one flag for all of them.
// partials: [chunks] vec2u of global_norm_partial.wgsl. result: [2] f32, the norm and 0 or 1. The flag is 1 where a number
// was not finite and where the squares exceed what f32 can add up (a norm above 1.8e19); the norm is then 0.
// Dispatch: one group; its threads add strided, then thread 0 adds the 64 sums.
struct Uniforms { chunks: u32 };
@group(0) @binding(0) var<storage, read> partials: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

const THREADS = 64u;
const EXPONENT = 0x7f800000u;
// Just below the largest f32: what is clamped to it has overflowed.
const LARGEST = 3.0e38;
var<workgroup> sums: array<f32, THREADS>;
var<workgroup> flags: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  var flag = 0u;
  for (var i = thread; i < u.chunks; i += THREADS) {
    let partial = partials[i];
    if (partial.y != 0u || (partial.x & EXPONENT) == EXPONENT) {
      flag = 1u;
    } else {
      sum = min(sum + bitcast<f32>(partial.x), LARGEST);
    }
  }
  sums[thread] = sum;
  flags[thread] = flag;
  workgroupBarrier();
  if (thread != 0u) { return; }
  for (var i = 1u; i < THREADS; i++) {
    sum = min(sum + sums[i], LARGEST);
    flag |= flags[i];
  }
  if (sum >= LARGEST) { flag = 1u; }
  result[0] = select(sqrt(sum), 0.0, flag == 1u);
  result[1] = f32(flag);
}
