/** diffusers' AutoencoderTiny in NHWC: pixels −1…1 ⟷ latent, scaled and shifted. Inference only: no gradient is defined for training it. */
import { add, clipByValue, concat, div, fused, mul, relu, reshape, sub, tanh, tidy, type Tensor, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { Convolution, Layer, TinyAutoencoder } from './weights';

export { disposeTinyAutoencoder, loadTinyAutoencoder, type TinyAutoencoder } from './weights';

/** Latents are squeezed to ±3 before decoding: diffusers' `latent_magnitude`, fixed in its decoder. */
const LATENT_MAGNITUDE = 3;

const convolve = (x: Tensor4D, { filter, bias }: Convolution, stride: 1 | 2, activation: 'relu' | 'linear'): Tensor4D =>
  fused.conv2d({ x, filter, strides: stride, pad: 1, dimRoundingMode: 'floor', activation, ...(bias ? { bias } : {}) }) as Tensor4D;

/** Upsampling and convolution in one: each phase reaches one pixel up or down, left or right. */
function doubled(x: Tensor4D, phases: readonly Convolution[]): Tensor4D {
  const [b, h, w] = x.shape;
  const reach = (phase: number): [number, number] => (phase === 0 ? [1, 0] : [0, 1]);
  const parts = phases.map(({ filter, bias }, i) =>
    fused.conv2d({ x, filter, strides: 1, pad: [[0, 0], reach(i >> 1), reach(i & 1), [0, 0]], activation: 'linear', ...(bias ? { bias } : {}) }) as Tensor4D);
  const channels = parts[0]!.shape[3];
  const rows = [0, 2].map((top) => reshape(concat([parts[top]!, parts[top + 1]!], 3), [b, h, 1, 2 * w, channels])); // columns interleaved
  return reshape(concat(rows, 2), [b, 2 * h, 2 * w, channels]);
}

function runLayer(x: Tensor4D, layer: Layer): Tensor4D {
  if (layer.kind === 'upsampled') return doubled(x, layer.phases);
  if (layer.kind === 'convolution') return convolve(x, layer.convolution, layer.stride, layer.relu ? 'relu' : 'linear');
  const [first, second, third] = layer.convolutions;
  return relu(add<Tensor4D>(convolve(convolve(convolve(x, first, 1, 'relu'), second, 1, 'relu'), third, 1, 'linear'), x));
}

/** Layer by layer, so that only two layers' pictures exist at a time; `x` stays the caller's. */
function* layerSteps(layers: readonly Layer[], x: Tensor4D): Generator<void, Tensor4D> {
  let current = x;
  let finished = false;
  try {
    for (const layer of layers) {
      const next = tidy(() => runLayer(current, layer));
      if (current !== x) current.dispose();
      current = next;
      yield;
    }
    finished = true;
    return current;
  } finally {
    if (!finished && current !== x) current.dispose();
  }
}

function run(layers: readonly Layer[], x: Tensor4D): Tensor4D {
  const steps = layerSteps(layers, x);
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

/** pixels [B,H,W,3] in −1…1 → latent [B,H/8,W/8,C], scaled and shifted. */
export function encode(vae: TinyAutoencoder, pixels: Tensor4D): Tensor4D {
  const { encoder, scalingFactor, shiftFactor } = vae;
  invariant(encoder, 'this autoencoder was loaded without its encoder');
  return tidy(() => mul(sub(run(encoder, div(add(pixels, 1), 2)), shiftFactor), scalingFactor) as Tensor as Tensor4D);
}

/** latent, scaled and shifted → what the decoder's first layer reads. */
function decoderInput({ scalingFactor, shiftFactor }: TinyAutoencoder, latent: Tensor4D): Tensor4D {
  return tidy(() => mul(tanh(div(add(div(latent, scalingFactor), shiftFactor), LATENT_MAGNITUDE)), LATENT_MAGNITUDE) as Tensor as Tensor4D);
}
const toPixels = (decoded: Tensor4D): Tensor4D => tidy(() => clipByValue(sub(mul(decoded, 2), 1), -1, 1) as Tensor as Tensor4D);

/** latent [B,h,w,C], scaled and shifted → pixels [B,8h,8w,3], clamped to −1…1. */
export function decode(vae: TinyAutoencoder, latent: Tensor4D): Tensor4D {
  const { decoder } = vae;
  invariant(decoder, 'this autoencoder was loaded without its decoder');
  return tidy(() => toPixels(run(decoder, decoderInput(vae, latent))));
}

/** The same pixels, awaiting `between` after each layer; null as soon as it says stop. The caller disposes. */
export async function decodeAsync(vae: TinyAutoencoder, latent: Tensor4D, between: () => Promise<'go' | 'stop'>): Promise<Tensor4D | null> {
  const { decoder } = vae;
  invariant(decoder, 'this autoencoder was loaded without its decoder');
  const input = decoderInput(vae, latent);
  const steps = layerSteps(decoder, input);
  try {
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) {
        const pixels = toPixels(step.value);
        step.value.dispose();
        return pixels;
      }
      if ((await between()) === 'stop') {
        steps.return(input);
        return null;
      }
    }
  } finally {
    input.dispose();
  }
}
