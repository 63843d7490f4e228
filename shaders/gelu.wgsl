// The GELUs x * gate(x), elementwise, f32. KIND 0: the tanh form as a sigmoid, gate = sigmoid(SLOPE x + CUBIC x^3);
// 1: the exact one, gate = Phi(x), the normal distribution; 2: quick GELU, gate = sigmoid(1.702 x).
// GRADIENT 0: result = x * gate; dy is not read. 1: result = dy * (gate + x * gate').
// x, dy, result: [size] Elements. Dispatch: ceil(size / 64) groups, folded into x and y.
alias Element = f32;
struct Uniforms { size: u32 };
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;
@group(0) @binding(3) var<uniform> u: Uniforms;

override KIND: u32 = 0u;
override GRADIENT: u32 = 0u;
// 2 sqrt(2/pi), and that times 0.044715
const SLOPE = 1.5957691216057308;
const CUBIC = 0.07135481627159626;
const INVERSE_SQRT_2PI = 0.3989422804014327;
/// The gate and x times its slope.
struct Gate { value: Element, pull: Element };

/// sigmoid(z), with x times the slope of z as second argument; z > -88, or exp overflows.
fn sigmoid(z: Element, pull: Element) -> Gate {
  let e = exp(-z);
  let s = 1.0 / (1.0 + e);
  return Gate(s, pull * s * (e * s));
}

/// Phi(-a) = exp(-a^2/2) t p(t), t = 1/(1 + 0.39 a): p is a least-squares fit of degree 7, off by
/// less than 3e-9; with the roundings of f32 Phi is right within 2.5e-7 (1.5e-7 measured on SwiftShader).
fn normal(value: Element) -> Gate {
  let a = abs(value);
  let t = 1.0 / (1.0 + 0.39 * a);
  let low = vec4f(0.15570342, 0.15315364, 0.15223465, -0.00446836);
  let high = vec4f(0.24860497, -0.34822823, 0.17556766, -0.03256776);
  let upper = high.x + t * (high.y + t * (high.z + t * high.w));
  let p = low.x + t * (low.y + t * (low.z + t * (low.w + t * upper)));
  let bell = exp(-0.5 * a * a);
  let tail = bell * t * p;
  return Gate(select(tail, 1.0 - tail, value > Element(0.0)), value * bell * INVERSE_SQRT_2PI);
}

/// Beyond the bounds the gate is 0 or 1 to f32, and nothing overflows inside them.
fn gate(value: Element) -> Gate {
  if (KIND == 1u) { return normal(clamp(value, Element(-13.0), Element(13.0))); }
  if (KIND == 2u) {
    let z = 1.702 * clamp(value, Element(-50.0), Element(50.0));
    return sigmoid(z, z);
  }
  let v = clamp(value, Element(-9.9), Element(9.9));
  return sigmoid(v * (SLOPE + CUBIC * v * v), v * (SLOPE + 3.0 * CUBIC * v * v));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= u.size) { return; }
  let value = x[i];
  let g = gate(value);
  if (GRADIENT == 1u) {
    result[i] = dy[i] * (g.value + g.pull);
  } else {
    result[i] = value * g.value;
  }
}
