/**
 * The table of `npm run parity`: one row per comparison, and the ways to compare. Every number comes from a fixture;
 * fixtures are NCHW, the models NHWC, so pictures are turned on the way in and values compared in the fixture's order.
 */
import * as tf from '../../engine/tf';
import type { WeightSource } from '../../models/weightSource';

export interface Row { component: string; error: number; tolerance: number; pass: boolean }

/** NaN fails. */
export const row = (component: string, error: number, tolerance: number): Row => ({ component, error, tolerance, pass: error <= tolerance });

type Numbers = ArrayLike<number>;

/** Largest absolute difference; infinite where lengths differ. */
export function worst(found: Numbers, wanted: Numbers): number {
  if (found.length !== wanted.length) return Infinity;
  let most = 0;
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs(found[i]! - wanted[i]!);
    if (!(difference <= most)) most = difference;
  }
  return most;
}

export const largest = (values: Numbers): number => worst(values, new Float32Array(values.length));

/** Largest difference in units of the largest wanted value; absolute where that is zero. */
export const relative = (found: Numbers, wanted: Numbers): number => worst(found, wanted) / (largest(wanted) || 1);

/** Root mean square of the difference, in units of the wanted values' own. */
export function relativeRms(found: Numbers, wanted: Numbers): number {
  if (found.length !== wanted.length) return Infinity;
  let [difference, own] = [0, 0];
  for (let i = 0; i < found.length; i++) {
    difference += (found[i]! - wanted[i]!) ** 2;
    own += wanted[i]! ** 2;
  }
  return Math.sqrt(difference / (own || 1));
}

/** A fixture as tensor of its own shape. */
export async function tensorOf<T extends tf.Tensor>(file: WeightSource, key: string): Promise<T> {
  return tf.tensor(await file.read(key), [...file.shape(key)]) as T;
}

/** Rows of ids, [B][L]. */
export async function idsOf(file: WeightSource, key: string): Promise<number[][]> {
  const [rows = 0, length = 0] = file.shape(key);
  const ids = await file.read(key);
  return Array.from({ length: rows }, (_, i) => [...ids.subarray(i * length, (i + 1) * length)]);
}

/** A fixture [B,C,H,W] as [B,H,W,C]. */
export async function pictureOf(file: WeightSource, key: string): Promise<tf.Tensor4D> {
  const read = await tensorOf<tf.Tensor4D>(file, key);
  const turned = tf.transpose(read, [0, 2, 3, 1]);
  read.dispose();
  return turned;
}

/** Values of a tensor [B,H,W,C] in the order [B,C,H,W]. */
export async function valuesNchw(x: tf.Tensor4D): Promise<Float32Array> {
  const turned = tf.transpose(x, [0, 3, 1, 2]);
  const values = await turned.data<'float32'>();
  turned.dispose();
  return values;
}

export const values = (x: tf.Tensor): Promise<Float32Array> => x.data<'float32'>();

const toleranceOf = ({ tolerance }: Row): string => (tolerance === 0 ? 'exact' : tolerance.toExponential(1));
const counted = (rows: readonly Row[]): string => {
  const failed = rows.filter(({ pass }) => !pass).length;
  return failed ? `${failed} of ${rows.length} rows fail` : `all ${rows.length} rows pass`;
};

/** The table as text. */
export function table(rows: readonly Row[]): string {
  const widest = Math.max(...rows.map(({ component }) => component.length));
  const columns = (cells: readonly string[]) => `${cells[0]!.padEnd(widest)}${cells[1]!.padStart(12)}${cells[2]!.padStart(12)}  ${cells[3]}`;
  const line = (one: Row) => columns([one.component, one.error.toExponential(2), toleranceOf(one), one.pass ? 'pass' : 'FAIL']);
  return [columns(['component', 'max error', 'tolerance', 'pass']), ...rows.map(line), counted(rows)].join('\n');
}
