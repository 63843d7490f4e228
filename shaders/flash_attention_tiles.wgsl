// needs attention_inputs.wgsl tile_product.wgsl
// o = softmax(scale · q·kᵀ)·v and its log-sum-exp, without the matrix of scores: online softmax, 32 queries a group, 32 keys
// at a time, products of 32 × 32 tiles through workgroup memory (9 KiB), four by four results a thread.
//   q, o [batch,queries,heads,WIDTH]   k, v [batch,keys,heads,WIDTH]   key_mask [batch,keys]   lse [batch,queries,heads]
//   WIDTH is a multiple of 4, at most 128. CAUSAL: key ≤ query. MASKED: keys of value 0 are left out; else key_mask is not
//   read. A query without any key gets o = 0, lse = 0. Dispatch: batch · heads · ⌈queries/32⌉ groups, folded into x and y.
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

/// Below every score; finite, because WGSL may assume that there is no infinity.
const LOW = -1e30;
/// What the eight threads of a row exchange.
var<workgroup> shared_rows: array<vec4f, 64>;

fn q4(first: u32, row: u32, c: u32) -> vec4f {
  if (c >= WIDTH / 4u) { return vec4f(0.0); }
  return q[(first + min(row, sizes.queries - 1u) * sizes.heads) * (WIDTH / 4u) + c];
}
fn k4(first: u32, row: u32, c: u32) -> vec4f {
  if (c >= WIDTH / 4u) { return vec4f(0.0); }
  return k[(first + min(row, sizes.keys - 1u) * sizes.heads) * (WIDTH / 4u) + c];
}
fn v4(first: u32, row: u32, c: u32) -> vec4f {
  if (c >= WIDTH / 4u) { return vec4f(0.0); }
  return v[(first + min(row, sizes.keys - 1u) * sizes.heads) * (WIDTH / 4u) + c];
}
fn attends_to(element: u32, m: u32, n: u32) -> bool {
  if (m >= sizes.keys || n >= sizes.queries) { return false; }
  if (MASKED) { if (key_mask[element * sizes.keys + m] == 0.0) { return false; } }
  return !CAUSAL || m <= n;
}
/// Whether query n may attend to each of the keys m…m + 3.
fn attends(element: u32, m: u32, n: u32) -> vec4<bool> {
  return vec4<bool>(attends_to(element, m, n), attends_to(element, m + 1u, n), attends_to(element, m + 2u, n), attends_to(element, m + 3u, n));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tiles = (sizes.queries + 31u) / 32u;
  let tile = sizes.first + id.x + id.y * groups.x;
  if (tile >= sizes.batch * sizes.heads * tiles) { return; }
  let n0 = (tile % tiles) * 32u;
  let head = tile / tiles % sizes.heads;
  let element = tile / tiles / sizes.heads;
  let first_q = element * sizes.queries * sizes.heads + head;
  let first_k = element * sizes.keys * sizes.heads + head;
  let y = thread / 8u;
  let x = thread % 8u;
  var sums: array<mat4x4f, 4>; // of each 32 channels: a thread's four, for its four queries
  var top = vec4f(LOW);
  var total = vec4f(0.0); // over this thread's keys only, until the end
  let end = select(sizes.keys, min(sizes.keys, n0 + 32u), CAUSAL);
  for (var m0 = 0u; m0 < end; m0 += 32u) {
    var s = mat4x4f(); // a column is a query; set in words, as a bare var in a loop is not cleared by every driver
    for (var c0 = 0u; c0 < WIDTH / 4u; c0 += 8u) {
      let c = c0 + y;
      store_left(y, x, transpose(mat4x4f(q4(first_q, n0 + 4u * x, c), q4(first_q, n0 + 4u * x + 1u, c), q4(first_q, n0 + 4u * x + 2u, c), q4(first_q, n0 + 4u * x + 3u, c))));
      store_right(y, x, transpose(mat4x4f(k4(first_k, m0 + 4u * x, c), k4(first_k, m0 + 4u * x + 1u, c), k4(first_k, m0 + 4u * x + 2u, c), k4(first_k, m0 + 4u * x + 3u, c))));
      workgroupBarrier();
      s += product(y, x);
      workgroupBarrier();
    }
    let n = n0 + 4u * y;
    let m = m0 + 4u * x;
    let keep0 = attends(element, m, n);
    let keep1 = attends(element, m, n + 1u);
    let keep2 = attends(element, m, n + 2u);
    let keep3 = attends(element, m, n + 3u);
    s[0] = select(vec4f(LOW), s[0] * sizes.scale, keep0);
    s[1] = select(vec4f(LOW), s[1] * sizes.scale, keep1);
    s[2] = select(vec4f(LOW), s[2] * sizes.scale, keep2);
    s[3] = select(vec4f(LOW), s[3] * sizes.scale, keep3);
    let of_key = transpose(s);
    shared_rows[thread] = max(max(of_key[0], of_key[1]), max(of_key[2], of_key[3]));
    workgroupBarrier();
    var higher = top;
    for (var i = 0u; i < 8u; i++) { higher = max(higher, shared_rows[8u * y + i]); }
    let shrink = exp(top - higher);
    top = higher;
    s[0] = select(vec4f(0.0), exp(s[0] - top.x), keep0);
    s[1] = select(vec4f(0.0), exp(s[1] - top.y), keep1);
    s[2] = select(vec4f(0.0), exp(s[2] - top.z), keep2);
    s[3] = select(vec4f(0.0), exp(s[3] - top.w), keep3);
    let p = transpose(s);
    total = total * shrink + p[0] + p[1] + p[2] + p[3];
    store_left(x, y, p);
    for (var part = 0u; part < (WIDTH + 31u) / 32u; part++) {
      for (var i = thread; i < 256u; i += 64u) { right[i] = v4(first_k, m0 + i / 8u, part * 8u + i % 8u); }
      workgroupBarrier();
      let before = sums[part];
      sums[part] = mat4x4f(before[0] * shrink.x, before[1] * shrink.y, before[2] * shrink.z, before[3] * shrink.w) + product(y, x);
      workgroupBarrier();
    }
  }
  shared_rows[thread] = total;
  workgroupBarrier();
  total = vec4f(0.0);
  for (var i = 0u; i < 8u; i++) { total += shared_rows[8u * y + i]; }
  for (var i = 0u; i < 4u; i++) {
    let n = n0 + 4u * y + i;
    if (n >= sizes.queries) { break; }
    let row = first_q + n * sizes.heads;
    let found = total[i] > 0.0;
    if (x == 0u) { lse[row] = select(0.0, top[i] + log(max(total[i], 1e-30)), found); }
    let inverse = select(0.0, 1.0 / max(total[i], 1e-30), found);
    for (var c = x; c < WIDTH / 4u; c += 8u) { o[row * (WIDTH / 4u) + c] = sums[c / 8u][i] * inverse; }
  }
}
