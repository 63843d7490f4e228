/**
 * What directions have in common, by their Gram matrix Γᵢⱼ = ⟨gᵢ,gⱼ⟩: a few numbers, whatever the size of the latents.
 * Inner products are float32 on the device; what is solved from them is plain numbers.
 */
import * as tf from '../../engine/tf';
import type { Tensor3D, Tensor4D } from '../../engine/tf';

/** ρ relative to the mean of Γ's diagonal: identical directions then share (condition 2e3) instead of blowing up. */
const RIDGE = 1e-3;
/** What is left of a direction counts as nothing below this share of its ‖g‖²: beyond float32's reach, and no denominator. */
const FLOOR = 1e-4;

/**
 * Γ [K,K] of each row of a batch, with one read for all. `directions`: K of [B,h,w,C]. `where`: 0…1, broadcast against them, weighs
 * the elements; one matrix for each entry of it, null for all elements alike. Gives [where][B][K][K].
 */
export async function gramMatrices(directions: readonly Tensor4D[], where: readonly (Tensor4D | null)[] = [null]): Promise<number[][][][]> {
  const [rows, k] = [directions[0]!.shape[0], directions.length];
  const all = tf.tidy(() => {
    const flat = (each: readonly Tensor4D[]): Tensor3D => tf.stack(each.map((d) => tf.reshape(d, [rows, -1])), 1) as Tensor3D;
    const whole = flat(directions);
    return tf.stack(where.map((w) => tf.matMul(w ? flat(directions.map((d) => tf.mul<Tensor4D>(d, w))) : whole, whole, false, true)));
  });
  const numbers = await all.data<'float32'>();
  all.dispose();
  const matrix = (at: number) => Array.from({ length: k }, (_, i) => Array.from(numbers.subarray((at * k + i) * k, (at * k + i + 1) * k)));
  return where.map((_, w) => Array.from({ length: rows }, (_, row) => matrix(w * rows + row)));
}

/** λ of (Γ + ρI)λ = b, ρ = 1e-3·tr(Γ)/K; all 0 where Γ is. */
export function solveRidge(gram: readonly (readonly number[])[], b: readonly number[]): number[] {
  const k = b.length;
  const rho = (RIDGE * gram.reduce((sum, row, i) => sum + row[i]!, 0)) / k;
  if (!(rho > 0)) return b.map(() => 0);
  const rows = gram.map((row, i) => [...row.map((value, j) => value + (i === j ? rho : 0)), b[i]!]);
  for (let i = 0; i < k; i++) {
    // Γ + ρI is positive definite: no row needs to be exchanged
    for (let j = i + 1; j < k; j++) {
      const factor = rows[j]![i]! / rows[i]![i]!;
      for (let c = i; c <= k; c++) rows[j]![c]! -= factor * rows[i]![c]!;
    }
  }
  const lambda = new Array<number>(k).fill(0);
  for (let i = k - 1; i >= 0; i--) lambda[i] = (rows[i]![k]! - lambda.reduce((sum, value, j) => (j > i ? sum + rows[i]![j]! * value : sum), 0)) / rows[i]![i]!;
  return lambda;
}

/**
 * Gram–Schmidt in coefficients: row i holds eᵢ = Σⱼ Cᵢⱼ gⱼ, j ≤ i, which is gᵢ without its projections onto e₀ … eᵢ₋₁, with Cᵢᵢ = 1.
 * Denominators are max(‖eⱼ‖², 1e-4·‖gⱼ‖²), so that nothing is divided by the rounding a repeated direction leaves.
 */
export function gramSchmidt(gram: readonly (readonly number[])[]): number[][] {
  const made: { c: number[]; norm2: number }[] = [];
  gram.forEach((row, i) => {
    const c = row.map((_, j): number => (i === j ? 1 : 0));
    for (const { c: earlier, norm2 } of made) {
      const share = norm2 > 0 ? earlier.reduce((sum, value, j) => sum + value * row[j]!, 0) / norm2 : 0;
      earlier.forEach((value, j) => { c[j]! -= share * value; });
    }
    const left = c.reduce((sum, value, j) => sum + value * c.reduce((inner, other, l) => inner + other * gram[j]![l]!, 0), 0);
    made.push({ c, norm2: Math.max(left, FLOOR * row[i]!) });
  });
  return made.map(({ c }) => c);
}

/** Cosines of a Gram matrix; 0 against a direction that is nothing. */
export function cosines(gram: readonly (readonly number[])[]): number[][] {
  const norms = gram.map((row, i) => Math.sqrt(Math.max(0, row[i]!)));
  return gram.map((row, i) => row.map((value, j) => (norms[i]! * norms[j]! > 0 ? Math.min(1, Math.max(-1, value / (norms[i]! * norms[j]!))) : 0)));
}
