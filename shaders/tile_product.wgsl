// Products of 32 × 32 tiles through workgroup memory (8 KiB) by 64 threads, four by four results a thread.
// A part: src/engine puts it in front of the kernels that say `// needs tile_product.wgsl`.

/// Factors: [32 terms][8] vectors over four rows (left) and over four columns (right).
var<workgroup> left: array<vec4f, 256>;
var<workgroup> right: array<vec4f, 256>;

fn store_left(c: u32, quad: u32, block: mat4x4f) {
  for (var i = 0u; i < 4u; i++) { left[(4u * c + i) * 8u + quad] = block[i]; }
}
fn store_right(c: u32, quad: u32, block: mat4x4f) {
  for (var i = 0u; i < 4u; i++) { right[(4u * c + i) * 8u + quad] = block[i]; }
}
/// left's 32 × 32 times right's, of which a thread gets four by four: rows 4·y…, columns 4·x….
fn product(y: u32, x: u32) -> mat4x4f {
  var sums = mat4x4f();
  for (var i = 0u; i < 32u; i++) {
    let a = left[8u * i + y];
    let b = right[8u * i + x];
    sums[0] += a.x * b;
    sums[1] += a.y * b;
    sums[2] += a.z * b;
    sums[3] += a.w * b;
  }
  return sums;
}
