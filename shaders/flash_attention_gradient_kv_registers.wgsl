// needs attention_inputs.wgsl
// dv = pᵀ·dy and dk = scale · dsᵀ·q with ds = p ⊙ (dy·vᵀ − delta), p = exp(scale · q·kᵀ − lse): four keys a thread, four
// queries at a time. No workgroup memory, no barrier, no atomics: for adapters that run on the processor.
//   q, dy [batch,queries,heads,WIDTH]   k, v, dk, dv [batch,keys,heads,WIDTH]   key_mask [batch,keys]
//   stats [batch,queries,heads] of (lse, delta), by flash_attention_delta.wgsl. WIDTH is a multiple of 4, at most 128.
//   CAUSAL, MASKED as in the forward pass. Dispatch: ⌈batch · heads · ⌈keys/4⌉ / 64⌉ groups, folded into x and y.
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dv: array<vec4f>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

const STEPS = vec4u(0u, 1u, 2u, 3u);

/// Whether query n is one, and not before the key.
fn reached(m: vec4u, n: u32) -> vec4<bool> {
  if (n >= sizes.queries) { return vec4<bool>(false); }
  if (CAUSAL) { return m <= vec4u(n); }
  return vec4<bool>(true);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tiles = (sizes.keys + 3u) / 4u;
  let tile = (sizes.first + id.x + id.y * groups.x) * 64u + thread;
  if (tile >= sizes.batch * sizes.heads * tiles) { return; }
  let m0 = (tile % tiles) * 4u;
  let head = tile / tiles % sizes.heads;
  let element = tile / tiles / sizes.heads;
  let four = WIDTH / 4u;
  // keys and queries beyond the last repeat it; such keys are not stored, such queries not counted
  let m = min(m0 + STEPS, vec4u(sizes.keys - 1u));
  let at_k = ((element * sizes.keys + m) * sizes.heads + head) * four;
  var open = vec4<bool>(true);
  if (MASKED) {
    let at = element * sizes.keys + m;
    open = vec4f(key_mask[at.x], key_mask[at.y], key_mask[at.z], key_mask[at.w]) != vec4f(0.0);
  }
  var sums_k: array<vec4f, 128>;
  var sums_v: array<vec4f, 128>;
  for (var n0 = select(0u, m0, CAUSAL); n0 < sizes.queries; n0 += 4u) {
    let n = min(n0 + STEPS, vec4u(sizes.queries - 1u));
    let rows = (element * sizes.queries + n) * sizes.heads + head;
    let at_q = rows * four;
    // a column is a query, for the four keys; set to zero in words, as a bare var in a loop is not cleared by every driver
    var p = mat4x4f();
    var ds = mat4x4f();
    for (var c = 0u; c < four; c++) {
      let a = mat4x4f(k[at_k.x + c], k[at_k.y + c], k[at_k.z + c], k[at_k.w + c]);
      p[0] += q[at_q.x + c] * a;
      p[1] += q[at_q.y + c] * a;
      p[2] += q[at_q.z + c] * a;
      p[3] += q[at_q.w + c] * a;
      let b = mat4x4f(v[at_k.x + c], v[at_k.y + c], v[at_k.z + c], v[at_k.w + c]);
      ds[0] += dy[at_q.x + c] * b;
      ds[1] += dy[at_q.y + c] * b;
      ds[2] += dy[at_q.z + c] * b;
      ds[3] += dy[at_q.w + c] * b;
    }
    p[0] = select(vec4f(0.0), exp(p[0] * sizes.scale - stats[rows.x].x), open & reached(m, n0));
    ds[0] = p[0] * (ds[0] - stats[rows.x].y);
    p[1] = select(vec4f(0.0), exp(p[1] * sizes.scale - stats[rows.y].x), open & reached(m, n0 + 1u));
    ds[1] = p[1] * (ds[1] - stats[rows.y].y);
    p[2] = select(vec4f(0.0), exp(p[2] * sizes.scale - stats[rows.z].x), open & reached(m, n0 + 2u));
    ds[2] = p[2] * (ds[2] - stats[rows.z].y);
    p[3] = select(vec4f(0.0), exp(p[3] * sizes.scale - stats[rows.w].x), open & reached(m, n0 + 3u));
    ds[3] = p[3] * (ds[3] - stats[rows.w].y);
    let p_of_key = transpose(p);
    let ds_of_key = transpose(ds);
    for (var c = 0u; c < four; c++) {
      let a = mat4x4f(q[at_q.x + c], q[at_q.y + c], q[at_q.z + c], q[at_q.w + c]);
      let b = mat4x4f(dy[at_q.x + c], dy[at_q.y + c], dy[at_q.z + c], dy[at_q.w + c]);
      let j = 4u * c;
      sums_k[j] += a * ds_of_key[0];
      sums_k[j + 1u] += a * ds_of_key[1];
      sums_k[j + 2u] += a * ds_of_key[2];
      sums_k[j + 3u] += a * ds_of_key[3];
      sums_v[j] += b * p_of_key[0];
      sums_v[j + 1u] += b * p_of_key[1];
      sums_v[j + 2u] += b * p_of_key[2];
      sums_v[j + 3u] += b * p_of_key[3];
    }
  }
  for (var j = 0u; j < 4u; j++) {
    if (m0 + j >= sizes.keys) { break; }
    for (var c = 0u; c < four; c++) {
      dk[at_k[j] + c] = sums_k[4u * c + j] * sizes.scale;
      dv[at_k[j] + c] = sums_v[4u * c + j];
    }
  }
}
