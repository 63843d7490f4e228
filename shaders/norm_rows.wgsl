// Normalises rows, f32: y = xhat * (GAIN_OFFSET + gain) + shift, xhat = (x - mean) * r, r = 1 / sqrt(mean((x - mean)^2) + epsilon).
// x, y: [rows, size]; gain, shift: [rows / rows_per_gain, size]; statistics: [rows] (mean, r), what the gradient needs.
// CENTRED 0 is the RMS norm: mean stands for 0. SHIFTED 0: no shift, its binding is not read.
// LANES threads share a row (1, or a power of two up to 64); with 1 nothing is shared and no barrier runs.
// size counts Elements, of WIDTH numbers each. Dispatch: ceil(rows * LANES / 64) groups, folded into x and y.
alias Element = f32;
fn total(v: Element) -> f32 { return v; }
struct Uniforms { rows: u32, size: u32, rows_per_gain: u32, epsilon: f32 };
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> gain: array<Element>;
@group(0) @binding(2) var<storage, read> shift: array<Element>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
@group(0) @binding(4) var<storage, read_write> statistics: array<vec2f>;
@group(0) @binding(5) var<uniform> u: Uniforms;

override CENTRED: u32 = 1u;
override SHIFTED: u32 = 1u;
override GAIN_OFFSET: f32 = 0.0;
override LANES: u32 = 64u;
override WIDTH: u32 = 1u;
const THREADS = 64u;
var<workgroup> sums: array<f32, THREADS>;

/// The sum of `value` over the threads of a row.
fn over_row(value: f32, thread: u32) -> f32 {
  if (LANES == 1u) { return value; }
  let lane = thread % LANES;
  sums[thread] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[thread] += sums[thread + half]; }
  }
  workgroupBarrier();
  let sum = sums[thread - lane];
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = ((group.x + group.y * groups.x) * THREADS + thread) / LANES;
  let lane = thread % LANES;
  // a thread beyond the last row goes along, for the barriers, with nothing to do
  let size = select(0u, u.size, row < u.rows);
  let first = row * u.size;
  let length = f32(u.size * WIDTH);
  var mean = 0.0;
  if (CENTRED == 1u) {
    var sum = Element(0.0);
    for (var i = lane; i < size; i += LANES) { sum += x[first + i]; }
    mean = over_row(total(sum), thread) / length;
  }
  var squares = Element(0.0);
  for (var i = lane; i < size; i += LANES) {
    let centred = x[first + i] - mean;
    squares += centred * centred;
  }
  let r = inverseSqrt(over_row(total(squares), thread) / length + u.epsilon);
  let gains = row / u.rows_per_gain * u.size;
  for (var i = lane; i < size; i += LANES) {
    var value = (x[first + i] - mean) * r * (GAIN_OFFSET + gain[gains + i]);
    if (SHIFTED == 1u) { value += shift[gains + i]; }
    y[first + i] = value;
  }
  if (lane == 0u && row < u.rows) { statistics[row] = vec2f(mean, r); }
}
