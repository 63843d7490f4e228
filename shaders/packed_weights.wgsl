// Frozen weights [in,out] as src/engine/packed/packing.ts packs them, four columns at a time.
// A part: src/engine puts it in front of the kernels that say `// needs packed_weights.wgsl`.
//   binding 0  words, four to a vector, rows of `stride` columns
//   binding 1  scales, one word a group of rows and column, four to a vector (unused for f32 and f16: any buffer)
//   PRECISION  0 f32, 1 f16, 2 int8, 3 int4
@group(0) @binding(0) var<storage, read> words: array<vec4u>;
@group(0) @binding(1) var<storage, read> scales: array<vec4u>;

override PRECISION: u32 = 0u;

// Columns column … column + 3 of a row; column is a multiple of four below stride, stride one of eight.
fn weight4(row: u32, column: u32, stride: u32, group: u32) -> vec4f {
  let at = row * stride + column;
  if (PRECISION == 0u) { return bitcast<vec4f>(words[at >> 2u]); }
  if (PRECISION == 1u) {
    let four = words[at >> 3u];
    let two = select(four.xy, four.zw, (at & 4u) != 0u);
    return vec4f(unpack2x16float(two.x), unpack2x16float(two.y));
  }
  let scale = scales[((row / group) * stride + column) >> 2u];
  if (PRECISION == 2u) { return vec4f(unpack4xI8(words[at >> 4u][(at >> 2u) & 3u])) * bitcast<vec4f>(scale); }
  let codes = words[at >> 5u][(at >> 3u) & 3u] >> ((at & 4u) * 4u);
  let q = vec4f((vec4u(codes) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u));
  let p0 = unpack2x16float(scale.x);
  let p1 = unpack2x16float(scale.y);
  let p2 = unpack2x16float(scale.z);
  let p3 = unpack2x16float(scale.w);
  return q * vec4f(p0.x, p1.x, p2.x, p3.x) + vec4f(p0.y, p1.y, p2.y, p3.y);
}
