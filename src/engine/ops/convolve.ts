/**
 * Convolution of a picture, NHWC, with the gradient in the picture: filter and bias are the model's. tfjs does it in one piece; one that
 * would take the GPU too long (webgpu/workLimit.ts) goes in bands of rows, each submitted by itself. Every number is the same sum in either way.
 * The gradient is a convolution too, with the filter turned by half: tfjs' own is slow where its backends have it.
 */
import { concat, engine, mul, reshape, reverse, slice, step, tidy, transpose, zerosLike, type Tensor1D, type Tensor4D } from '../tf';
import { invariant } from '../invariant';
import { submitWork } from '../webgpu/submit';
import { workLimit } from '../webgpu/workLimit';
import { withGradient } from './withGradient';

export interface ConvolveOptions {
  /** 1 by default. */
  stride?: 1 | 2;
  /** Zeros around: [top, bottom] and [left, right]. */
  pad: readonly [readonly [number, number], readonly [number, number]];
  relu?: boolean;
}

/** x [B,H,W,in], filter [h,w,in,out], bias [out] → [B,H',W',out]. */
export function convolve(x: Tensor4D, filter: Tensor4D, bias: Tensor1D | null, options: ConvolveOptions): Tensor4D {
  const { stride = 1, pad, relu = false } = options;
  return withGradient(
    { x },
    (save) => {
      const y = forward(x, filter, bias, options);
      if (relu) save([y]);
      return y;
    },
    (dy, [kept]) => ({ x: () => pictureGradient(kept ? mul(dy, step(kept)) : dy, filter, stride, pad, x.shape) }),
  );
}

/** Zeros behind every row and column: [B,h,w,C] → [B,2h,2w,C]. */
function spread(x: Tensor4D): Tensor4D {
  const [b, h, w, c] = x.shape;
  const wide = reshape(concat([x, zerosLike(x)], 3), [b, h, 1, 2 * w * c]);
  return reshape(concat([wide, zerosLike(wide)], 2), [b, 2 * h, 2 * w, c]);
}

/** dx from dy: every output's gradient goes to the inputs that its filter read. */
function pictureGradient(dy: Tensor4D, filter: Tensor4D, stride: 1 | 2, [[top], [left]]: ConvolveOptions['pad'], [, height, width]: Tensor4D['shape']): Tensor4D {
  const [tall, wide] = filter.shape;
  const far = stride === 1 ? dy : spread(dy);
  const [above, before] = [tall - 1 - top, wide - 1 - left];
  const [below, behind] = [height - far.shape[1] - above + tall - 1, width - far.shape[2] - before + wide - 1];
  invariant(Math.min(above, before, below, behind) >= 0, 'this convolution’s padding has no gradient here');
  const turned = transpose(reverse(filter, [0, 1]), [0, 1, 3, 2]) as Tensor4D;
  return forward(far, turned, null, { pad: [[above, below], [before, behind]] });
}

function forward(x: Tensor4D, filter: Tensor4D, bias: Tensor1D | null, { stride = 1, pad: [[top, bottom], [left, right]], relu = false }: ConvolveOptions): Tensor4D {
  const [batch, height, width, inputs] = x.shape;
  const [tall, wide, , outputs] = filter.shape;
  const rows = Math.floor((height + top + bottom - tall) / stride) + 1;
  const columns = Math.floor((width + left + right - wide) / stride) + 1;
  // the kernel itself: under a tape the op would take bias and ReLU apart, and end with other bits
  const piece = (part: Tensor4D, above: number, below: number) =>
    engine().runKernel('FusedConv2D', { x: part, filter, ...(bias ? { bias } : {}) }, {
      strides: stride, pad: [[0, 0], [above, below], [left, right], [0, 0]], dataFormat: 'NHWC', dilations: [1, 1], dimRoundingMode: 'floor', activation: relu ? 'relu' : 'linear',
    }) as unknown as Tensor4D;
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
