/**
 * Guidance fusion against a plain copy of as many bytes, measured in turns with it: the ratio is the share of the adapter's copy rate
 * that the fusion reaches. K terms and v0 are read and one result is written, K + 2 velocities; a copy of half of that moves the same.
 */
import { guidanceFusionOf } from '../../engine/kernels/guidanceFusion';
import { allocate, copyRanges } from '../../engine/webgpu/dispatch';
import * as tf from '../../engine/tf';
import { settled, someTensor, tensorForm } from '../forms';
import type { Form, Row } from '../row';

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function copyForm(numbers: number): Form {
  const from = someTensor<tf.Tensor1D>([numbers], 3);
  const to = tf.engine().makeTensorFromTensorInfo(allocate(tf.backend(), [numbers]));
  return { run: () => copyRanges(tf.backend(), [{ from, fromStart: 0, to, toStart: 0, size: numbers }]), sync: settled, dispose: () => tf.dispose([from, to]) };
}

/** `members` velocities in each pass, v0 the first of the first. */
function fusionRow(shape: [number, number, number, number], members: readonly number[]): Row {
  const terms = members.reduce((sum, count) => sum + count, -1);
  const numbers = (terms + 2) * size(shape);
  const places = members.flatMap((count, pass) => Array.from({ length: count }, (_, at) => ({ pass, at }))).slice(1);
  return {
    name: 'GuidanceFusion of passes', shape: `[${shape}], ${terms} terms in ${members.length} passes`, flops: 0, bytes: 4 * numbers,
    ours: () => tensorForm(members.map((count, i) => someTensor([count * shape[0], ...shape.slice(1)], 5 + i)), (passes) =>
      guidanceFusionOf<tf.Tensor4D>(shape, { source: passes[0]!, at: 0 }, places.map(({ pass, at }, i) => ({ source: passes[pass]!, at, weight: 0.3 - 0.1 * i, mask: null })))),
    rival: { name: 'copy of as many bytes', open: () => copyForm(numbers / 2) },
  };
}

/** The embedded base's latents and SD3.5's at 1024², one pass on the base and one through an adapter; and a pass for every term. */
export const fusionRows = (): Row[] => ([[4, 16, 16, 16], [4, 128, 128, 16]] as const).flatMap((shape) => [
  ...[1, 4, 8, 16].map((terms) => fusionRow([...shape], [Math.ceil((terms + 1) / 2), Math.floor((terms + 1) / 2)])),
  fusionRow([...shape], new Array<number>(17).fill(1)),
]);
