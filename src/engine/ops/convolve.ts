/**
 * Convolution of a picture, NHWC, no gradient. tfjs does it in one piece; one that would take the GPU too long (webgpu/workLimit.ts)
 * goes in bands of rows, each submitted by itself. Every number is the same sum in either way.
 */
import { concat, fused, slice, tidy, type Tensor1D, type Tensor4D } from '../tf';
import { submitWork } from '../webgpu/submit';
import { workLimit } from '../webgpu/workLimit';

export interface ConvolveOptions {
  /** 1 by default. */
  stride?: 1 | 2;
  /** Zeros around: [top, bottom] and [left, right]. */
  pad: readonly [readonly [number, number], readonly [number, number]];
  relu?: boolean;
}

/** x [B,H,W,in], filter [h,w,in,out], bias [out] → [B,H',W',out]. */
export function convolve(x: Tensor4D, filter: Tensor4D, bias: Tensor1D | null, { stride = 1, pad: [[top, bottom], [left, right]], relu = false }: ConvolveOptions): Tensor4D {
  const [batch, height, width, inputs] = x.shape;
  const [tall, wide, , outputs] = filter.shape;
  const rows = Math.floor((height + top + bottom - tall) / stride) + 1;
  const columns = Math.floor((width + left + right - wide) / stride) + 1;
  const piece = (part: Tensor4D, above: number, below: number) =>
    fused.conv2d({ x: part, filter, strides: stride, pad: [[0, 0], [above, below], [left, right], [0, 0]], dimRoundingMode: 'floor', activation: relu ? 'relu' : 'linear', ...(bias ? { bias } : {}) }) as Tensor4D;
  const flops = 2 * batch * rows * columns * tall * wide * inputs * outputs;
  const bands = Math.min(rows, Math.ceil(flops / workLimit.flops));
  if (bands <= 1) return piece(x, top, bottom);
  return tidy(() => concat(Array.from({ length: bands }, (_, i) => {
    const [first, end] = [Math.round((i * rows) / bands), Math.round(((i + 1) * rows) / bands)];
    const [from, to] = [first * stride - top, (end - 1) * stride - top + tall]; // rows of x it reads, zeros above and below included
    const [begin, stop] = [Math.max(0, from), Math.min(height, to)];
    const band = tidy(() => piece(slice(x, [0, begin, 0, 0], [batch, stop - begin, width, inputs]), begin - from, to - stop));
    submitWork();
    return band;
  }), 1) as Tensor4D);
}
