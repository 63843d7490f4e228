// Gradient of the three sums (<r,r>, <g,g>, <r,g>): dr = 2*d_rr*r + d_rg*g, dg = 2*d_gg*g + d_rg*r.
// r, g, dr, dg: [rows, size] f32. weights: [3, rows] f32, the gradients d_rr, d_gg, d_rg.
// Dispatch: ceil(rows * size / 64) groups, folded into x and y.
struct Uniforms { rows: u32, size: u32 };
@group(0) @binding(0) var<storage, read> r: array<f32>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> dr: array<f32>;
@group(0) @binding(4) var<storage, read_write> dg: array<f32>;
@group(0) @binding(5) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= u.rows * u.size) { return; }
  let row = i / u.size;
  let d_rr = weights[row];
  let d_gg = weights[u.rows + row];
  let d_rg = weights[2u * u.rows + row];
  dr[i] = 2.0 * d_rr * r[i] + d_rg * g[i];
  dg[i] = 2.0 * d_gg * g[i] + d_rg * r[i];
}
