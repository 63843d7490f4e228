// result = start + sum_t weight[t] * mask[t] * (term[t] - v0), over all elements, f32; start is v0, or what result holds unless FRESH.
// v0 lies in s0, terms in s0..s5, `offset` elements from the beginning: the passes of the model as they are. masks: `period` cells each, one
// after the other; a cell covers `inner` elements in a row, and the cells repeat; mask NONE is 1 everywhere. Sources beyond those in use
// are bound to s0 and never read. Dispatch: ceil(size / 64) groups, folded into x and y. Eight storage buffers, the number every adapter has.
alias Element = f32;
const NONE = 0xffffffffu;
struct Term { source: u32, offset: u32, mask: u32, weight: f32 };
struct Uniforms { size: u32, terms: u32, offset: u32, inner: u32, period: u32, pad0: u32, pad1: u32, pad2: u32, table: array<Term, 32> };
@group(0) @binding(0) var<storage, read> s0: array<Element>;
@group(0) @binding(1) var<storage, read> s1: array<Element>;
@group(0) @binding(2) var<storage, read> s2: array<Element>;
@group(0) @binding(3) var<storage, read> s3: array<Element>;
@group(0) @binding(4) var<storage, read> s4: array<Element>;
@group(0) @binding(5) var<storage, read> s5: array<Element>;
@group(0) @binding(6) var<storage, read> masks: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<Element>;
@group(0) @binding(8) var<uniform> u: Uniforms;

override FRESH: u32 = 1u;

fn velocity(source: u32, at: u32) -> Element {
  switch source {
    case 1u: { return s1[at]; }
    case 2u: { return s2[at]; }
    case 3u: { return s3[at]; }
    case 4u: { return s4[at]; }
    case 5u: { return s5[at]; }
    default: { return s0[at]; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= u.size) { return; }
  let origin = s0[u.offset + i];
  let cell = i / u.inner % u.period;
  var sum = origin;
  if (FRESH == 0u) { sum = result[i]; }
  for (var t = 0u; t < u.terms; t++) {
    let term = u.table[t];
    var weight = term.weight;
    if (term.mask != NONE) { weight *= masks[term.mask * u.period + cell]; }
    sum += weight * (velocity(term.source, term.offset + i) - origin);
  }
  result[i] = sum;
}
