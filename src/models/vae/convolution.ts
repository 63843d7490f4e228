/**
 * Convolutions of pictures in NHWC. A 3 × 3 convolution of a picture doubled by nearest neighbours is four 2 × 2 ones of the
 * picture itself, one for each place in a doubled pixel: 4/9 of the work, so the two are read as one.
 */
import { convolve, type ConvolveOptions } from '../../engine/ops';
import { add, clone, concat, reshape, split, tensor4d, tidy, type Tensor, type Tensor1D, type Tensor4D } from '../../engine/tf';
import { giveBack } from '../../engine/webgpu/submit';
import type { WeightReader } from '../weights';

/** filter [height,width,in,out] */
export interface Convolution { filter: Tensor4D; bias: Tensor1D | null }
/** In the order rows, then columns. */
export type Phases = [Convolution, Convolution, Convolution, Convolution];

/** `name`.weight [out,in,h,w] and, where there is one, `name`.bias. */
export async function readConvolution(reader: WeightReader, name: string): Promise<Convolution> {
  const [out = 0, inputs = 0, height = 0, width = 0] = reader.shape(`${name}.weight`);
  const read = await reader.values(`${name}.weight`, [out, inputs, height, width]);
  const area = height * width;
  const values = new Float32Array(read.length);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < inputs; i++) for (let p = 0; p < area; p++) values[(p * inputs + i) * out + o] = read[(o * inputs + i) * area + p]!;
  }
  return {
    filter: tensor4d(values, [height, width, inputs, out]),
    bias: reader.has(`${name}.bias`) ? await reader.vector(`${name}.bias`, out) : null,
  };
}

/** The four 2 × 2 filters: rows (0, 1+2) or (0+1, 2) of the 3 × 3 one, and columns likewise. Takes the convolution over. */
export function phasesOf({ filter, bias }: Convolution): Phases {
  const halves = (x: Tensor4D, axis: 1 | 0): [Tensor4D, Tensor4D] => {
    const [first, second, third] = split(x, 3, axis) as [Tensor4D, Tensor4D, Tensor4D];
    return [concat([first, add(second, third)], axis) as Tensor4D, concat([add(first, second), third], axis) as Tensor4D];
  };
  const filters = tidy(() => halves(filter, 0).flatMap((rows) => halves(rows, 1)) as unknown as Tensor) as unknown as Tensor4D[];
  filter.dispose();
  return filters.map((part, i) => ({ filter: part, bias: i === 0 ? bias : bias && clone(bias) })) as Phases;
}

/** Padded so that the picture keeps its size (at stride 1), unless told otherwise. */
export function convolved(x: Tensor4D, { filter, bias }: Convolution, options: Partial<ConvolveOptions> = {}): Tensor4D {
  const around = filter.shape[0] >> 1;
  return convolve(x, filter, bias, { pad: [[around, around], [around, around]], ...options });
}

/** Upsampling and convolution in one: each phase reaches one pixel up or down, left or right. */
export function convolvedDoubled(x: Tensor4D, phases: Phases): Tensor4D {
  const [b, h, w] = x.shape;
  const reach = (phase: number): [number, number] => (phase === 0 ? [1, 0] : [0, 1]);
  const channels = phases[0].filter.shape[3];
  const rows = [0, 1].map((row) => {
    const parts = [0, 1].map((column) => {
      const { filter, bias } = phases[2 * row + column]!;
      return convolve(x, filter, bias, { pad: [reach(row), reach(column)] });
    });
    const line = reshape(concat(parts, 3), [b, h, 1, 2 * w, channels]); // columns interleaved
    giveBack(...parts);
    return line;
  });
  const whole = reshape(concat(rows, 2), [b, 2 * h, 2 * w, channels]) as Tensor4D;
  giveBack(...rows);
  return whole;
}

export function disposeConvolution({ filter, bias }: Convolution): void {
  filter.dispose();
  bias?.dispose();
}
