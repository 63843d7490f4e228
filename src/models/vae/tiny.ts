/** diffusers' AutoencoderTiny in NHWC. */
import { add, clipByValue, concat, div, fused, mul, relu, reshape, sub, tanh, tidy, type Tensor, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { drainAsync, type Between, type Steps } from '../steps';
import type { WeightSource } from '../weightSource';
import type { Autoencoder } from './autoencoder';
import { disposeTinyWeights, loadTinyWeights, type Convolution, type Layer, type TinyWeights } from './weights';

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

/** Layer by layer, so that only two layers' pictures exist at a time; takes `x` over. */
function* layerSteps(layers: readonly Layer[], x: Tensor4D): Steps<Tensor4D> {
  let current = x;
  let finished = false;
  try {
    for (const layer of layers) {
      const next = tidy(() => runLayer(current, layer));
      current.dispose();
      current = next;
      yield;
    }
    finished = true;
    return current;
  } finally {
    if (!finished) current.dispose();
  }
}

/** What stands before the layers, the layers, what stands behind them. `x` stays the caller's. */
async function run(layers: readonly Layer[], x: Tensor4D, before: (x: Tensor4D) => Tensor, behind: (x: Tensor4D) => Tensor, between: Between = async () => {}): Promise<Tensor4D> {
  const made = await drainAsync(layerSteps(layers, tidy(() => before(x) as Tensor4D)), between);
  const result = tidy(() => behind(made) as Tensor4D);
  made.dispose();
  return result;
}

function encode({ encoder, scalingFactor, shiftFactor }: TinyWeights, pixels: Tensor4D, between?: Between): Promise<Tensor4D> {
  invariant(encoder, 'this autoencoder was loaded without its encoder');
  return run(encoder, pixels, (x) => div(add(x, 1), 2), (x) => mul(sub(x, shiftFactor), scalingFactor), between);
}

function decode({ decoder, scalingFactor, shiftFactor }: TinyWeights, latent: Tensor4D, between?: Between): Promise<Tensor4D> {
  invariant(decoder, 'this autoencoder was loaded without its decoder');
  const squeezed = (x: Tensor4D) => mul(tanh(div(add(div(x, scalingFactor), shiftFactor), LATENT_MAGNITUDE)), LATENT_MAGNITUDE);
  return run(decoder, latent, squeezed, (x) => clipByValue(sub(mul(x, 2), 1), -1, 1), between);
}

/** How often the picture is doubled or halved. */
const doublings = ({ encoder, decoder }: TinyWeights): number =>
  decoder ? decoder.filter(({ kind }) => kind === 'upsampled').length : encoder!.filter((layer) => layer.kind === 'convolution' && layer.stride === 2).length;

/** config: diffusers' (scaling_factor, shift_factor). Throws Faults `tensor-missing`, `tensor-unknown`, `tensor-shape`. */
export async function loadTinyAutoencoder(source: WeightSource, config: unknown): Promise<Autoencoder> {
  const weights = await loadTinyWeights(source, config);
  return {
    latentChannels: weights.latentChannels,
    downscale: 2 ** doublings(weights),
    encode: async (pixels, between) => encode(weights, pixels, between),
    decode: async (latent, between) => decode(weights, latent, between),
    dispose: () => disposeTinyWeights(weights),
  };
}
