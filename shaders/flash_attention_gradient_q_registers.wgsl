// needs attention_inputs.wgsl
// dq = scale · ds·k with ds = p ⊙ (dy·vᵀ − delta), p = exp(scale · q·kᵀ − lse): four queries a thread, four keys at a time.
// No workgroup memory and no barrier: for adapters that run on the processor.
//   q, dy, dq [batch,queries,heads,WIDTH]   k, v [batch,keys,heads,WIDTH]   key_mask [batch,keys]
//   stats [batch,queries,heads] of (lse, delta), by flash_attention_delta.wgsl. WIDTH is a multiple of 4, at most 128.
//   CAUSAL, MASKED as in the forward pass. Dispatch: ⌈batch · heads · ⌈queries/4⌉ / 64⌉ groups, folded into x and y.
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> dq: array<vec4f>;
@group(0) @binding(7) var<uniform> sizes: Sizes;

const STEPS = vec4u(0u, 1u, 2u, 3u);

fn attends(element: u32, m: u32, n: vec4u) -> vec4<bool> {
  if (m >= sizes.keys) { return vec4<bool>(false); }
  if (MASKED) { if (key_mask[element * sizes.keys + m] == 0.0) { return vec4<bool>(false); } }
  if (CAUSAL) { return vec4u(m) <= n; }
  return vec4<bool>(true);
}

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
  let n = min(n0 + STEPS, vec4u(sizes.queries - 1u));
  let rows = (element * sizes.queries + n) * sizes.heads + head;
  let at_q = rows * four;
  let lse = vec4f(stats[rows.x].x, stats[rows.y].x, stats[rows.z].x, stats[rows.w].x);
  let delta = vec4f(stats[rows.x].y, stats[rows.y].y, stats[rows.z].y, stats[rows.w].y);
  var sums: array<vec4f, 128>;
  let end = select(sizes.keys, min(sizes.keys, n0 + 4u), CAUSAL);
  for (var m0 = 0u; m0 < end; m0 += 4u) {
    let m = min(m0 + STEPS, vec4u(sizes.keys - 1u));
    let at_k = ((element * sizes.keys + m) * sizes.heads + head) * four;
    // a column is a key, for the four queries; set to zero in words, as a bare var in a loop is not cleared by every driver
    var s = mat4x4f();
    var ds = mat4x4f();
    for (var c = 0u; c < four; c++) {
      let a = mat4x4f(q[at_q.x + c], q[at_q.y + c], q[at_q.z + c], q[at_q.w + c]);
      s[0] += k[at_k.x + c] * a;
      s[1] += k[at_k.y + c] * a;
      s[2] += k[at_k.z + c] * a;
      s[3] += k[at_k.w + c] * a;
      let b = mat4x4f(dy[at_q.x + c], dy[at_q.y + c], dy[at_q.z + c], dy[at_q.w + c]);
      ds[0] += v[at_k.x + c] * b;
      ds[1] += v[at_k.y + c] * b;
      ds[2] += v[at_k.z + c] * b;
      ds[3] += v[at_k.w + c] * b;
    }
    ds[0] = select(vec4f(0.0), exp(s[0] * sizes.scale - lse), attends(element, m0, n)) * (ds[0] - delta);
    ds[1] = select(vec4f(0.0), exp(s[1] * sizes.scale - lse), attends(element, m0 + 1u, n)) * (ds[1] - delta);
    ds[2] = select(vec4f(0.0), exp(s[2] * sizes.scale - lse), attends(element, m0 + 2u, n)) * (ds[2] - delta);
    ds[3] = select(vec4f(0.0), exp(s[3] * sizes.scale - lse), attends(element, m0 + 3u, n)) * (ds[3] - delta);
    let of_query = transpose(ds);
    for (var c = 0u; c < four; c++) {
      let b = mat4x4f(k[at_k.x + c], k[at_k.y + c], k[at_k.z + c], k[at_k.w + c]);
      let i = 4u * c;
      sums[i] += b * of_query[0];
      sums[i + 1u] += b * of_query[1];
      sums[i + 2u] += b * of_query[2];
      sums[i + 3u] += b * of_query[3];
    }
  }
  for (var i = 0u; i < 4u; i++) {
    if (n0 + i >= sizes.queries) { break; }
    for (var c = 0u; c < four; c++) { dq[at_q[i] + c] = sums[4u * c + i] * sizes.scale; }
  }
}
