// needs attention_inputs.wgsl tile_product.wgsl
// dv = pᵀ·dy and dk = scale · dsᵀ·q with ds = p ⊙ (dy·vᵀ − delta), p = exp(scale · q·kᵀ − lse): 32 keys a group, 32 queries
// at a time, products of 32 × 32 tiles through workgroup memory (8 KiB), four by four results a thread. No atomics.
//   q, dy [batch,queries,heads,WIDTH]   k, v, dk, dv [batch,keys,heads,WIDTH]   key_mask [batch,keys]
//   stats [batch,queries,heads] of (lse, delta), by flash_attention_delta.wgsl. WIDTH is a multiple of 4, at most 128.
//   CAUSAL, MASKED as in the forward pass. Dispatch: batch · heads · ⌈keys/32⌉ groups, folded into x and y.
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dv: array<vec4f>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

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
fn dy4(first: u32, row: u32, c: u32) -> vec4f {
  if (c >= WIDTH / 4u) { return vec4f(0.0); }
  return dy[(first + min(row, sizes.queries - 1u) * sizes.heads) * (WIDTH / 4u) + c];
}
fn attends_to(element: u32, m: u32, n: u32) -> bool {
  if (m >= sizes.keys || n >= sizes.queries) { return false; }
  if (MASKED) { if (key_mask[element * sizes.keys + m] == 0.0) { return false; } }
  return !CAUSAL || m <= n;
}
/// Whether each of the queries n…n + 3 may attend to key m.
fn attend(element: u32, m: u32, n: u32) -> vec4<bool> {
  return vec4<bool>(attends_to(element, m, n), attends_to(element, m, n + 1u), attends_to(element, m, n + 2u), attends_to(element, m, n + 3u));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tiles = (sizes.keys + 31u) / 32u;
  let tile = sizes.first + id.x + id.y * groups.x;
  if (tile >= sizes.batch * sizes.heads * tiles) { return; }
  let m0 = (tile % tiles) * 32u;
  let head = tile / tiles % sizes.heads;
  let element = tile / tiles / sizes.heads;
  let first_q = element * sizes.queries * sizes.heads + head;
  let first_k = element * sizes.keys * sizes.heads + head;
  let y = thread / 8u;
  let x = thread % 8u;
  let m = m0 + 4u * y;
  var sums_k: array<mat4x4f, 4>; // of each 32 channels: a thread's four, for its four keys
  var sums_v: array<mat4x4f, 4>;
  for (var n0 = select(0u, m0, CAUSAL); n0 < sizes.queries; n0 += 32u) {
    // a column is a key; set to zero in words, as a bare var in a loop is not cleared by every driver
    var p = mat4x4f();
    var ds = mat4x4f();
    for (var c0 = 0u; c0 < WIDTH / 4u; c0 += 8u) {
      let c = c0 + y;
      store_left(y, x, transpose(mat4x4f(k4(first_k, m0 + 4u * x, c), k4(first_k, m0 + 4u * x + 1u, c), k4(first_k, m0 + 4u * x + 2u, c), k4(first_k, m0 + 4u * x + 3u, c))));
      store_right(y, x, transpose(mat4x4f(q4(first_q, n0 + 4u * x, c), q4(first_q, n0 + 4u * x + 1u, c), q4(first_q, n0 + 4u * x + 2u, c), q4(first_q, n0 + 4u * x + 3u, c))));
      workgroupBarrier();
      p += product(y, x);
      workgroupBarrier();
      store_left(y, x, transpose(mat4x4f(v4(first_k, m0 + 4u * x, c), v4(first_k, m0 + 4u * x + 1u, c), v4(first_k, m0 + 4u * x + 2u, c), v4(first_k, m0 + 4u * x + 3u, c))));
      store_right(y, x, transpose(mat4x4f(dy4(first_q, n0 + 4u * x, c), dy4(first_q, n0 + 4u * x + 1u, c), dy4(first_q, n0 + 4u * x + 2u, c), dy4(first_q, n0 + 4u * x + 3u, c))));
      workgroupBarrier();
      ds += product(y, x);
      workgroupBarrier();
    }
    let n = n0 + 4u * x;
    let stat0 = stats[first_q + min(n, sizes.queries - 1u) * sizes.heads];
    let stat1 = stats[first_q + min(n + 1u, sizes.queries - 1u) * sizes.heads];
    let stat2 = stats[first_q + min(n + 2u, sizes.queries - 1u) * sizes.heads];
    let stat3 = stats[first_q + min(n + 3u, sizes.queries - 1u) * sizes.heads];
    let lse = vec4f(stat0.x, stat1.x, stat2.x, stat3.x);
    let delta = vec4f(stat0.y, stat1.y, stat2.y, stat3.y);
    p[0] = select(vec4f(0.0), exp(p[0] * sizes.scale - lse), attend(element, m, n));
    p[1] = select(vec4f(0.0), exp(p[1] * sizes.scale - lse), attend(element, m + 1u, n));
    p[2] = select(vec4f(0.0), exp(p[2] * sizes.scale - lse), attend(element, m + 2u, n));
    p[3] = select(vec4f(0.0), exp(p[3] * sizes.scale - lse), attend(element, m + 3u, n));
    ds[0] = p[0] * (ds[0] - delta);
    ds[1] = p[1] * (ds[1] - delta);
    ds[2] = p[2] * (ds[2] - delta);
    ds[3] = p[3] * (ds[3] - delta);
    store_left(x, y, transpose(p));
    for (var part = 0u; part < (WIDTH + 31u) / 32u; part++) {
      for (var i = thread; i < 256u; i += 64u) { right[i] = dy4(first_q, n0 + i / 8u, part * 8u + i % 8u); }
      workgroupBarrier();
      sums_v[part] += product(y, x);
      workgroupBarrier();
    }
    store_left(x, y, transpose(ds));
    for (var part = 0u; part < (WIDTH + 31u) / 32u; part++) {
      for (var i = thread; i < 256u; i += 64u) { right[i] = q4(first_q, n0 + i / 8u, part * 8u + i % 8u); }
      workgroupBarrier();
      sums_k[part] += product(y, x);
      workgroupBarrier();
    }
  }
  for (var i = 0u; i < 4u; i++) {
    if (m + i >= sizes.keys) { break; }
    for (var c = x; c < WIDTH / 4u; c += 8u) {
      let at = (first_k + (m + i) * sizes.heads) * (WIDTH / 4u) + c;
      dk[at] = sums_k[c / 8u][i] * sizes.scale;
      dv[at] = sums_v[c / 8u][i];
    }
  }
}
