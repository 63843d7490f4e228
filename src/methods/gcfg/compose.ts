/**
 * GCFG's rule and its options, as functions of velocities (methods/gcfg never sees a model):
 *   Δ  = Σ λᵢ · P[Mᵢ ⊙ dᵢ],  dᵢ = vᵢ(c⁺) − vᵢ(c⁻)            the guidance, in order of priority
 *   vc = v0 + Δ                                                the prediction at scale 1
 *   v  = vc + (s − 1) · A[vc − s*·v0]                          = v0 + s·Δ where no option is on
 *   P  `orthogonal`: without what Mᵢ⊙dᵢ has in common with those before it, inside its own mask
 *   λ  `together`: joint parts from (Γ + ρI)λ = b, bᵢ = wᵢ·Γᵢᵢ, so that each acts along itself as strongly as it would alone; else wᵢ
 *   s* `zeroStar`: ⟨vc,v0⟩/⟨v0,v0⟩ (CFG-Zero*); else 1
 *   A  `parallel`: the part along the clean prediction x0 = xσ − σ·vc times η (adaptive projected guidance); else the identity
 *   and last `rescale`: v · ((1 − φ) + φ·std(vc)/std(v))
 * Projections and deviations are of each row of the batch by itself. A and s* leave scale 1 alone, as in their papers. A is taken against x0 and
 * not against the velocity, as its paper does: what is to be damped is the gain of the picture, and a velocity is mostly the noise.
 */
import * as tf from '../../engine/tf';
import type { Tensor, Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { isPlain, type Composition } from '../../protocol/mix';
import { cosines, gramMatrices, gramSchmidt, solveRidge } from './gram';

/** Velocities [B,h,w,C]; masks 0…1 broadcast against them, null for everywhere. All stay the caller's. */
export interface Direction { difference: Tensor4D; mask: Tensor4D | null }
export interface Part extends Direction {
  weight: number;
  /** Solved together with the others that say so. */
  joint: boolean;
}

/** Where the velocities were taken; `parallel` needs it. */
export interface Point { x: Tensor4D; sigma: number }

const masked = ({ difference, mask }: Direction): Tensor4D => (mask ? tf.mul<Tensor4D>(difference, mask) : tf.clone(difference));
const inner = (a: Tensor4D, b: Tensor4D): Tensor => tf.sum(tf.mul(a, b), [1, 2, 3], true);
/** How much of `of` there is in `a`, [B,1,1,1]; 0 where `of` is nothing. */
const share = (a: Tensor4D, of: Tensor4D): Tensor => tf.div(inner(a, of), tf.maximum(inner(of, of), 1e-12));
const sum = (v0: Tensor4D, directions: readonly Tensor4D[], factors: readonly (number | Tensor)[]): Tensor4D =>
  directions.reduce((all, direction, i) => tf.add<Tensor4D>(all, tf.mul(direction, factors[i]!)), v0);

/** Each without what it has in common with those before it. Where a mask is 0 it stays 0: projections are taken, and subtracted, where the mask is not. */
async function orthogonalised(directions: readonly Tensor4D[], masks: readonly (Tensor4D | null)[]): Promise<Tensor4D[]> {
  const distinct = [...new Set(masks)];
  const supports = distinct.map((mask) => mask && tf.tidy(() => tf.cast<Tensor4D>(tf.greater<Tensor4D>(mask, 0), 'float32')));
  const grams = await gramMatrices(directions, supports);
  const made = tf.tidy(() => directions.map((direction, i) => {
    const at = distinct.indexOf(masks[i]!);
    const coefficients = grams[at]!.map((gram) => gramSchmidt(gram.slice(0, i + 1).map((row) => row.slice(0, i + 1)))[i]!);
    const before = directions.slice(0, i).map((_, j) => rowFactors(coefficients.map((c) => c[j]!)));
    if (i === 0) return tf.clone(direction);
    const common = sum(tf.zerosLike(direction), directions.slice(0, i), before);
    const support = supports[at];
    return tf.add<Tensor4D>(direction, support ? tf.mul(common, support) : common);
  }));
  supports.forEach((support) => support?.dispose());
  return made;
}

const rowFactors = (values: readonly number[]): Tensor => tf.tensor4d([...values], [values.length, 1, 1, 1]);

/** λ of each part for each row of the batch: [K][B]. */
async function solvedTogether(directions: readonly Tensor4D[], parts: readonly Part[]): Promise<number[][]> {
  const lambda = parts.map(({ weight }) => new Array<number>(directions[0]!.shape[0]).fill(weight));
  const joint = parts.flatMap((part, i) => (part.joint ? [i] : []));
  if (joint.length < 2) return lambda;
  const [grams] = await gramMatrices(joint.map((i) => directions[i]!));
  grams!.forEach((gram, row) => solveRidge(gram, joint.map((i, at) => parts[i]!.weight * gram[at]![at]!)).forEach((value, at) => { lambda[joint[at]!]![row] = value; }));
  return lambda;
}

/** Δ's share along x0 of `vc`, times η, and the rest as it is. */
function damped(delta: Tensor4D, vc: Tensor4D, { x, sigma }: Point, eta: number): Tensor4D {
  const clean = tf.sub<Tensor4D>(x, tf.mul(vc, sigma));
  return tf.sub(delta, tf.mul(clean, tf.mul(share(delta, clean), 1 - eta)));
}

const deviation = (v: Tensor4D): Tensor => tf.sqrt(tf.moments(v, [1, 2, 3], true).variance);

/** v of the rule at scale s. Parts in order of priority. `point` is needed where composition.parallel is not 1. The caller disposes. */
export async function composeVelocity(v0: Tensor4D, parts: readonly Part[], scale: number, composition: Composition, point?: Point): Promise<Tensor4D> {
  if (parts.length === 0) return tf.clone(v0);
  const { orthogonal, together, parallel, rescale, zeroStar } = composition;
  invariant(parallel === 1 || point, 'adaptive projected guidance needs the point of the velocities');
  if (isPlain(composition)) return tf.tidy(() => sum(v0, parts.map(masked), parts.map(({ weight }) => scale * weight)));
  let directions = tf.tidy(() => parts.map(masked));
  const owned = [...directions];
  try {
    if (orthogonal) owned.push(...(directions = await orthogonalised(directions, parts.map(({ mask }) => mask))));
    const lambda = together ? await solvedTogether(directions, parts) : null;
    return tf.tidy(() => {
      const vc = sum(v0, directions, parts.map(({ weight }, i) => (lambda ? rowFactors(lambda[i]!) : weight)));
      const whole = tf.sub<Tensor4D>(vc, zeroStar ? tf.mul(v0, share(vc, v0)) : v0);
      const delta = parallel === 1 ? whole : damped(whole, vc, point!, parallel);
      const v = tf.add<Tensor4D>(vc, tf.mul(delta, scale - 1));
      if (rescale === 0) return v;
      const back = tf.div(deviation(vc), tf.maximum(deviation(v), 1e-12));
      return tf.mul<Tensor4D>(v, tf.add(tf.mul(back, rescale), 1 - rescale));
    });
  } finally {
    tf.dispose(owned);
  }
}

/** Cosines [K,K] between directions where they act, over the whole batch: near 1 two count double, near −1 they fight. */
export async function overlap(directions: readonly Direction[]): Promise<number[][]> {
  if (directions.length === 0) return [];
  const all = tf.tidy(() => directions.map(masked));
  try {
    const [grams] = await gramMatrices(all);
    return cosines(grams!.reduce((total, gram) => total.map((row, i) => row.map((value, j) => value + gram[i]![j]!))));
  } finally {
    tf.dispose(all);
  }
}
