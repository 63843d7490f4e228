/**
 * Fréchet distance of two sets of embeddings, as Gaussians (Heusel et al., 2017): ‖μ₁ − μ₂‖² + tr C₁ + tr C₂ − 2·tr (C₁C₂)^½.
 * The last trace is the sum of the singular values of A·Bᵀ / √((n−1)(m−1)), A [n,d] and B [m,d] centred: no d × d matrix is made.
 */
type Rows = readonly (readonly number[] | Float32Array)[];

/** Eigenvalues of a symmetric matrix by Jacobi's rotations. */
export function eigenvalues(symmetric: readonly (readonly number[])[]): number[] {
  const a = symmetric.map((row) => [...row]);
  const n = a.length;
  const scale = a.reduce((sum, row) => row.reduce((all, value) => all + value * value, sum), 0);
  const outside = () => a.reduce((sum, row, i) => row.reduce((all, value, j) => (i === j ? all : all + value * value), sum), 0);
  for (let sweep = 0; sweep < 60 && outside() > 1e-22 * scale; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p]![q] === 0) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1), s = t * c;
        for (const row of a) [row[p], row[q]] = [c * row[p]! - s * row[q]!, s * row[p]! + c * row[q]!];
        const [rowP, rowQ] = [a[p]!, a[q]!];
        for (let k = 0; k < n; k++) [rowP[k], rowQ[k]] = [c * rowP[k]! - s * rowQ[k]!, s * rowP[k]! + c * rowQ[k]!];
      }
    }
  }
  return a.map((row, i) => row[i]!);
}

function centred(rows: Rows): { mean: number[]; apart: number[][]; trace: number } {
  const mean = Array.from(rows[0]!, (_, k) => rows.reduce((sum, row) => sum + row[k]!, 0) / rows.length);
  const apart = rows.map((row) => Array.from(row, (value, k) => value - mean[k]!));
  return { mean, apart, trace: apart.flat().reduce((sum, value) => sum + value * value, 0) / (rows.length - 1) };
}
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, k) => sum + value * b[k]!, 0);

/** At least two rows each. */
export function frechet(one: Rows, other: Rows): number {
  const [few, many] = [one, other].sort((a, b) => a.length - b.length).map(centred) as [ReturnType<typeof centred>, ReturnType<typeof centred>];
  const products = few.apart.map((a) => many.apart.map((b) => dot(a, b)));
  const roots = eigenvalues(products.map((a) => products.map((b) => dot(a, b)))).reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
  const between = few.mean.reduce((sum, value, k) => sum + (value - many.mean[k]!) ** 2, 0);
  return between + few.trace + many.trace - (2 * roots) / Math.sqrt((one.length - 1) * (other.length - 1));
}
