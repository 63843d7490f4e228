// What every attention kernel is given: queries, keys, values, which keys count, and the sizes.
// A part: src/engine puts it in front of the kernels that say `// needs attention_inputs.wgsl`. Their own buffers follow from
// binding 4 on, Sizes last.
//   q [batch,queries,heads,WIDTH]   k, v [batch,keys,heads,WIDTH]   key_mask [batch,keys]
//   WIDTH is a multiple of 4, at most 128. CAUSAL: key ≤ query. MASKED: keys of value 0 are left out; else key_mask is not read.
//   first: the first group of this dispatch.
override WIDTH: u32 = 64u;
override CAUSAL: bool = false;
override MASKED: bool = false;

struct Sizes { batch: u32, queries: u32, keys: u32, heads: u32, scale: f32, first: u32 }
@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> key_mask: array<f32>;
