// result = start + sum_t weight[t] * mask[t] * (term[t] - v0), over all elements, f32; start is v0, or what result holds unless FRESH.
// v0 lies in s0, terms in s0..s5, `offset` elements from the beginning: the passes of the model as they are. masks: `period` cells each, one
// after the other; a cell covers `inner` elements in a row, and the cells repeat. The line of the term stands once for each, without
// masked() where it has none, so that nothing is chosen while it runs; s0 is bound to what is not in use. Dispatch: ceil(size / 64) groups, folded into x and y. Eight storage buffers, the number every adapter has.
alias Element = f32;
struct Term { offset: u32, mask: u32, weight: f32, pad: u32 };
struct Uniforms { size: u32, offset: u32, inner: u32, period: u32, table: array<Term, 32> };
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

fn masked(t: u32, cell: u32) -> f32 { return masks[u.table[t].mask * u.period + cell]; }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  // the layout has every binding, whichever lines there are
  _ = &s1; _ = &s2; _ = &s3; _ = &s4; _ = &s5; _ = &masks;
  let i = id.x + id.y * groups.x * 64u;
  if (i >= u.size) { return; }
  let origin = s0[u.offset + i];
  let cell = i / u.inner % u.period;
  var sum = origin;
  if (FRESH == 0u) { sum = result[i]; }
  sum += u.table[0].weight * masked(0, cell) * (s0[u.table[0].offset + i] - origin);
  result[i] = sum;
}
