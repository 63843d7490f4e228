/**
 * Matrix products: our frozen linear layer forwards (nn) and back to its input (nt), and the product of two activations
 * (tn), against tfjs' own kernels and against jax-js; squares, and the shapes of the embedded base and of SD3.5-Medium.
 */
import { disposeLinear, frozenLinear, linear } from '../../engine/ops';
import type { Packing } from '../../formats/packing';
import * as tf from '../../engine/tf';
import { pullbackForm, someTensor, someValues, tensorForm } from '../forms';
import { jaxProduct } from '../rivals/jax';
import { stockMatMul } from '../rivals/stockTfjs';
import type { Form, Row } from '../row';

export type Kind = 'nn' | 'nt' | 'tn';
export interface Sizes { m: number; k: number; n: number }

const kinds: readonly Kind[] = ['nn', 'nt', 'tn'];
const square = (side: number): Sizes => ({ m: side, k: side, n: side });

/** Batch 2 of the embedded base: 128 picture and 48 text tokens, width 256, MLP 1024. */
const embedded: Sizes[] = [{ m: 128, k: 256, n: 256 }, { m: 48, k: 256, n: 256 }, { m: 128, k: 256, n: 1024 }, { m: 128, k: 1024, n: 256 }];
/** SD3.5-Medium at 512²: 1024 picture and 154 text tokens, width 1536, MLP 6144. */
const medium: Sizes[] = [{ m: 1024, k: 1536, n: 1536 }, { m: 154, k: 1536, n: 1536 }, { m: 1024, k: 1536, n: 6144 }, { m: 1024, k: 6144, n: 1536 }];

export const flopsOf = ({ m, k, n }: Sizes) => 2 * m * k * n;
export const bytesOf = ({ m, k, n }: Sizes) => 4 * (m * k + k * n + m * n);
export const says = ({ m, k, n }: Sizes) => `[${m},${k}]·[${k},${n}]`;

/** As the product computes it: the layer's forward, its input gradient, and a plain product of activations. */
export function ours(kind: Kind, { m, k, n }: Sizes, packing: Packing = { precision: 'f32' }): Form {
  if (kind === 'tn') {
    return tensorForm([someTensor([k, m], 7), someTensor([k, n], 8)], ([a, b]) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D, true, false));
  }
  // nt: x [m,n] → y [m,k], so that dx [m,n] is dy [m,k] by the layer's [n,k] transposed
  const [inFeatures, outFeatures] = kind === 'nn' ? [k, n] : [n, k];
  const layer = frozenLinear(someValues(inFeatures * outFeatures, 8), inFeatures, outFeatures, null, packing);
  const apply = (inputs: tf.Tensor[]) => [linear(inputs[0]!, layer)];
  const x = someTensor([m, inFeatures], 7);
  const form = (kind === 'nn' ? tensorForm([x], apply) : pullbackForm([x], apply)) as Form;
  return { ...form, dispose: () => { form.dispose(); disposeLinear(layer); } };
}

export function stock(kind: Kind, { m, k, n }: Sizes): Form {
  const [transposeA, transposeB] = [kind === 'tn', kind === 'nt'];
  const inputs = [someTensor(transposeA ? [k, m] : [m, k], 7), someTensor(transposeB ? [n, k] : [k, n], 8)];
  return tensorForm(inputs, ([a, b]) => stockMatMul(a!, b!, transposeA, transposeB));
}

function rowsOf(kind: Kind, sizes: Sizes, name: string, backend: string): Row[] {
  const row: Omit<Row, 'rival'> = { name: `${name} ${kind}`, shape: says(sizes), flops: flopsOf(sizes), bytes: bytesOf(sizes), ours: () => ours(kind, sizes) };
  const { m, k, n } = sizes;
  return [
    { ...row, rival: { name: 'tfjs', open: () => stock(kind, sizes) } },
    ...(backend === 'cpu' ? [] : [{ ...row, rival: { name: 'jax-js', open: () => jaxProduct(backend as 'webgpu' | 'wasm', [m, k, n], kind === 'tn', kind === 'nt') } }]),
  ];
}

export function matmulRows(backend: string): Row[] {
  const all: [string, Sizes][] = [
    ...[256, 512, 1024, 2048].map((side): [string, Sizes] => ['matmul', square(side)]),
    ...embedded.map((sizes): [string, Sizes] => ['linear, embedded base', sizes]),
    ...medium.map((sizes): [string, Sizes] => ['linear, SD3.5-Medium', sizes]),
  ];
  return all.flatMap(([name, sizes]) => kinds.flatMap((kind) => rowsOf(kind, sizes, name, backend)));
}
