// needs attention_inputs.wgsl
// o = softmax(scale · q·kᵀ)·v and its log-sum-exp, without the matrix of scores: online softmax, four queries a thread,
// four keys at a time. No workgroup memory and no barrier: for adapters that run on the processor.
//   q, o [batch,queries,heads,WIDTH]   k, v [batch,keys,heads,WIDTH]   key_mask [batch,keys]   lse [batch,queries,heads]
//   WIDTH is a multiple of 4, at most 128. CAUSAL: key ≤ query. MASKED: keys of value 0 are left out; else key_mask is not
//   read. A query without any key gets o = 0, lse = 0. Dispatch: ⌈batch · heads · ⌈queries/4⌉ / 64⌉ groups, folded.
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

/// Below every score; finite, because WGSL may assume that there is no infinity.
const LOW = -1e30;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tiles = (sizes.queries + 3u) / 4u;
  let tile = (sizes.first + id.x + id.y * groups.x) * 64u + thread;
  if (tile >= sizes.batch * sizes.heads * tiles) { return; }
  let n0 = (tile % tiles) * 4u;
  let head = tile / tiles % sizes.heads;
  let element = tile / tiles / sizes.heads;
  let four = WIDTH / 4u;
  // rows and keys beyond the last repeat it; such rows are not stored, such keys not counted
  let n = min(vec4u(n0) + vec4u(0u, 1u, 2u, 3u), vec4u(sizes.queries - 1u));
  let rows = (element * sizes.queries + n) * sizes.heads + head;
  let at_q = rows * four;
  var sums: array<vec4f, 128>;
  var top = vec4f(LOW);
  var total = vec4f(0.0);
  let end = select(sizes.keys, min(sizes.keys, n0 + 4u), CAUSAL);
  for (var m0 = 0u; m0 < end; m0 += 4u) {
    let m = min(vec4u(m0) + vec4u(0u, 1u, 2u, 3u), vec4u(sizes.keys - 1u));
    let at_k = ((element * sizes.keys + m) * sizes.heads + head) * four;
    var s0 = vec4f(0.0); // of key m0, for the four queries
    var s1 = vec4f(0.0);
    var s2 = vec4f(0.0);
    var s3 = vec4f(0.0);
    for (var c = 0u; c < four; c++) {
      let a = mat4x4f(q[at_q.x + c], q[at_q.y + c], q[at_q.z + c], q[at_q.w + c]);
      s0 += k[at_k.x + c] * a;
      s1 += k[at_k.y + c] * a;
      s2 += k[at_k.z + c] * a;
      s3 += k[at_k.w + c] * a;
    }
    var keep = vec4<bool>(true) & (vec4u(m0) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.keys));
    if (MASKED) {
      let first = element * sizes.keys;
      keep &= vec4f(key_mask[first + m.x], key_mask[first + m.y], key_mask[first + m.z], key_mask[first + m.w]) != vec4f(0.0);
    }
    let k0 = vec4<bool>(keep.x) & (!vec4<bool>(CAUSAL) | (vec4u(m.x) <= n));
    let k1 = vec4<bool>(keep.y) & (!vec4<bool>(CAUSAL) | (vec4u(m.y) <= n));
    let k2 = vec4<bool>(keep.z) & (!vec4<bool>(CAUSAL) | (vec4u(m.z) <= n));
    let k3 = vec4<bool>(keep.w) & (!vec4<bool>(CAUSAL) | (vec4u(m.w) <= n));
    s0 = select(vec4f(LOW), s0 * sizes.scale, k0);
    s1 = select(vec4f(LOW), s1 * sizes.scale, k1);
    s2 = select(vec4f(LOW), s2 * sizes.scale, k2);
    s3 = select(vec4f(LOW), s3 * sizes.scale, k3);
    let higher = max(max(max(s0, s1), max(s2, s3)), top);
    let shrink = exp(top - higher);
    top = higher;
    s0 = select(vec4f(0.0), exp(s0 - top), k0);
    s1 = select(vec4f(0.0), exp(s1 - top), k1);
    s2 = select(vec4f(0.0), exp(s2 - top), k2);
    s3 = select(vec4f(0.0), exp(s3 - top), k3);
    total = total * shrink + s0 + s1 + s2 + s3;
    for (var c = 0u; c < four; c++) {
      let b0 = v[at_k.x + c];
      let b1 = v[at_k.y + c];
      let b2 = v[at_k.z + c];
      let b3 = v[at_k.w + c];
      let i = 4u * c;
      sums[i] = sums[i] * shrink.x + s0.x * b0 + s1.x * b1 + s2.x * b2 + s3.x * b3;
      sums[i + 1u] = sums[i + 1u] * shrink.y + s0.y * b0 + s1.y * b1 + s2.y * b2 + s3.y * b3;
      sums[i + 2u] = sums[i + 2u] * shrink.z + s0.z * b0 + s1.z * b1 + s2.z * b2 + s3.z * b3;
      sums[i + 3u] = sums[i + 3u] * shrink.w + s0.w * b0 + s1.w * b1 + s2.w * b2 + s3.w * b3;
    }
  }
  let found = total > vec4f(0.0);
  let inverse = select(vec4f(0.0), 1.0 / max(total, vec4f(1e-30)), found);
  let logs = select(vec4f(0.0), top + log(max(total, vec4f(1e-30))), found);
  for (var i = 0u; i < 4u; i++) {
    if (n0 + i >= sizes.queries) { break; }
    lse[rows[i]] = logs[i];
    for (var c = 0u; c < four; c++) { o[at_q[i] + c] = sums[4u * c + i] * inverse[i]; }
  }
}
