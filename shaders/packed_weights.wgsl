// Frozen weights [in,out] as src/engine/packed/packing.ts packs them, four columns at a time.
// A part: src/engine puts it in front of the kernels that say `// needs packed_weights.wgsl`.
//   binding 0  words, rows of `stride` columns      binding 1  scales, one word a group of rows and column (unused: any buffer)
//   PRECISION  0 f32, 1 f16, 2 int8, 3 int4
@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

override PRECISION: u32 = 0u;

// Columns column … column + 3 of a row; column is a multiple of four below stride.
fn weight4(row: u32, column: u32, stride: u32, group: u32) -> vec4f {
  let at = row * stride + column;
  if (PRECISION == 0u) {
    return vec4f(bitcast<f32>(words[at]), bitcast<f32>(words[at + 1u]), bitcast<f32>(words[at + 2u]), bitcast<f32>(words[at + 3u]));
  }
  if (PRECISION == 1u) {
    return vec4f(unpack2x16float(words[at >> 1u]), unpack2x16float(words[(at >> 1u) + 1u]));
  }
  let s = (row / group) * stride + column;
  if (PRECISION == 2u) {
    let scale = vec4f(bitcast<f32>(scales[s]), bitcast<f32>(scales[s + 1u]), bitcast<f32>(scales[s + 2u]), bitcast<f32>(scales[s + 3u]));
    return vec4f(unpack4xI8(words[at >> 2u])) * scale;
  }
  let codes = words[at >> 3u] >> ((at & 4u) * 4u);
  let q = vec4f(vec4u(codes, codes >> 4u, codes >> 8u, codes >> 12u) & vec4u(15u));
  let p0 = unpack2x16float(scales[s]);
  let p1 = unpack2x16float(scales[s + 1u]);
  let p2 = unpack2x16float(scales[s + 2u]);
  let p3 = unpack2x16float(scales[s + 3u]);
  return q * vec4f(p0.x, p1.x, p2.x, p3.x) + vec4f(p0.y, p1.y, p2.y, p3.y);
}
