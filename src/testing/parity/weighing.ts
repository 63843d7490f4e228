/**
 * Which weights the models of a parity run are loaded with, and how a row is judged. In float32 every row has a tolerance of its own.
 * Packed weights are other weights, so the golden numbers are only neared: those rows give the root mean square of the difference
 * relative to the golden values' own, and the tolerance follows from what packing did to the weights.
 */
import { frozenLinear, frozenPacked } from '../../engine/ops';
import { placePacked } from '../../engine/packed/packedMatrix';
import { pack, unpack } from '../../formats/packing';
import type { LayerMaker } from '../../models/weights';
import { packingOf } from '../../worker/importing';
import { relativeRms, row, type Row } from './rows';

export type WeightChoice = 'f32' | 'int8' | 'int4';

type Numbers = ArrayLike<number>;
/** How a float32 row is judged. */
export interface Exactly { error: (found: Numbers, wanted: Numbers) => number; tolerance: number }
/** What packed weights do to a value: blocks it has passed through (0: no packed layer), and how errors grow on that way. */
export interface Passed { blocks: number; gain: number }

/**
 * Weights off by ε (relative root mean square) put a layer's output off by as much; over a chain of blocks such errors, independent as
 * they are, grow with the square root of its length. What else is between is the gain, twice what the fixtures show:
 */
export const GAIN = {
  /** Gated residuals: most of a value is the stream that no block has touched. */
  transformer: 1,
  /** There and back, and what it is relative to is small. */
  gradients: 4,
  /** No gates. */
  clip: 3,
  /** Scores that are not scaled: softmax turns an error of a large score into one several times as large. */
  t5: 10,
  /** All of the above, and guidance, which multiplies the difference of two velocities. */
  drawn: 3.5,
};

/** Whatever the weights are: numbers that have nothing to do with the golden ones differ by 1 and more. */
const NOISE = 0.9;

export interface Weighing {
  /** Makes the packed layers; undefined in float32. */
  layer: LayerMaker | undefined;
  /** Makes float32 layers of the numbers that the packed ones act as. */
  rounded: LayerMaker | undefined;
  row(component: string, found: Numbers, wanted: Numbers, exactly: Exactly, passed: Passed): Row;
}

export function weighing(weights: WeightChoice): Weighing {
  const exactRow: Weighing['row'] = (component, found, wanted, { error, tolerance }) => row(component, error(found, wanted), tolerance);
  if (weights === 'f32') return { layer: undefined, rounded: undefined, row: exactRow };
  const sums = { error: 0, weights: 0 };
  const layer: LayerMaker = async (inFeatures, outFeatures, { values }, bias) => {
    const exact = await values();
    const packed = pack(exact, inFeatures, outFeatures, packingOf(weights));
    unpack(packed).forEach((value, i) => {
      sums.error += (value - exact[i]!) ** 2;
      sums.weights += exact[i]! ** 2;
    });
    return frozenPacked(placePacked(packed), bias);
  };
  return {
    layer,
    rounded: async (inFeatures, outFeatures, { values }, bias) => frozenLinear(unpack(pack(await values(), inFeatures, outFeatures, packingOf(weights))), inFeatures, outFeatures, bias),
    row: (component, found, wanted, exactly, { blocks, gain }) => (blocks === 0
      ? exactRow(component, found, wanted, exactly, { blocks, gain })
      : row(`${component} (${weights})`, relativeRms(found, wanted), Math.min(NOISE, gain * Math.sqrt((blocks * sums.error) / sums.weights)))),
  };
}
