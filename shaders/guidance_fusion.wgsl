// out = start + sum_t weight[t] * mask[t] * (term[t] - v0), over all elements; up to four terms a dispatch.
// v0, start, term0..3, out: [size] f32. start is v0 itself, or the result of the terms before.
// masks: [TERMS, size] f32, read only where MASKED is 1. Terms from TERMS on are bound to v0 and never read.
// Dispatch: ceil(size / 64) groups, folded into x and y. Eight storage buffers, the number every adapter has.
struct Uniforms { size: u32, pad0: u32, pad1: u32, pad2: u32, weights: vec4f };
@group(0) @binding(0) var<storage, read> v0: array<f32>;
@group(0) @binding(1) var<storage, read> start: array<f32>;
@group(0) @binding(2) var<storage, read> term0: array<f32>;
@group(0) @binding(3) var<storage, read> term1: array<f32>;
@group(0) @binding(4) var<storage, read> term2: array<f32>;
@group(0) @binding(5) var<storage, read> term3: array<f32>;
@group(0) @binding(6) var<storage, read> masks: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<f32>;
@group(0) @binding(8) var<uniform> u: Uniforms;

override TERMS: u32 = 1u;
override MASKED: u32 = 0u;

fn weight(term: u32, i: u32) -> f32 {
  if (MASKED == 1u) { return u.weights[term] * masks[term * u.size + i]; }
  return u.weights[term];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= u.size) { return; }
  let origin = v0[i];
  var sum = start[i];
  sum += weight(0u, i) * (term0[i] - origin);
  if (TERMS > 1u) { sum += weight(1u, i) * (term1[i] - origin); }
  if (TERMS > 2u) { sum += weight(2u, i) * (term2[i] - origin); }
  if (TERMS > 3u) { sum += weight(3u, i) * (term3[i] - origin); }
  result[i] = sum;
}
