// Gradient of norm_rows.wgsl for x: dx = r * (g - mean(g) - xhat * mean(g * xhat)), g = dy * (GAIN_OFFSET + gain), f32.
// x, dy, dx: [rows, size]; gain: [rows / rows_per_gain, size]; statistics: [rows] (mean, r) of norm_rows.wgsl.
// CENTRED 0 (RMS norm) leaves mean(g) out. LANES threads share a row (1, or a power of two up to 64), 1 without a barrier.
// size counts Elements, of WIDTH numbers each. Dispatch: ceil(rows * LANES / 64) groups, folded into x and y.
alias Element = f32;
fn total(v: Element) -> f32 { return v; }
struct Uniforms { rows: u32, size: u32, rows_per_gain: u32 };
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read> gain: array<Element>;
@group(0) @binding(3) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> dx: array<Element>;
@group(0) @binding(5) var<uniform> u: Uniforms;

override CENTRED: u32 = 1u;
override GAIN_OFFSET: f32 = 0.0;
override LANES: u32 = 64u;
override WIDTH: u32 = 1u;
const THREADS = 64u;
var<workgroup> sums: array<vec2f, THREADS>;

/// The sum of `value` over the threads of a row.
fn over_row(value: vec2f, thread: u32) -> vec2f {
  if (LANES == 1u) { return value; }
  let lane = thread % LANES;
  sums[thread] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[thread] += sums[thread + half]; }
  }
  workgroupBarrier();
  return sums[thread - lane];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = ((group.x + group.y * groups.x) * THREADS + thread) / LANES;
  let lane = thread % LANES;
  // a thread beyond the last row goes along, for the barriers, with nothing to do
  let size = select(0u, u.size, row < u.rows);
  let first = row * u.size;
  let gains = row / u.rows_per_gain * u.size;
  let of_row = statistics[min(row, u.rows - 1u)];
  var sum_g = Element(0.0);
  var sum_gx = Element(0.0);
  for (var i = lane; i < size; i += LANES) {
    let g = dy[first + i] * (GAIN_OFFSET + gain[gains + i]);
    sum_g += g;
    sum_gx += g * (x[first + i] - of_row.x) * of_row.y;
  }
  var means = over_row(vec2f(total(sum_g), total(sum_gx)), thread) / f32(u.size * WIDTH);
  if (CENTRED == 0u) { means.x = 0.0; }
  for (var i = lane; i < size; i += LANES) {
    let g = dy[first + i] * (GAIN_OFFSET + gain[gains + i]);
    let normalised = (x[first + i] - of_row.x) * of_row.y;
    dx[first + i] = of_row.y * (g - means.x - normalised * means.y);
  }
}
