/** diffusers' AutoencoderTiny in NHWC. */
import { add, clipByValue, div, mul, relu, sub, tanh, tidy, type Tensor, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { chainVjp } from '../layersVjp';
import { drainAsync, throughLayers, type Between } from '../steps';
import type { WeightSource } from '../weightSource';
import type { Autoencoder, DecodedVjp } from './autoencoder';
import { convolved, convolvedDoubled } from './convolution';
import { disposeTinyWeights, loadTinyWeights, type Layer, type TinyWeights } from './tinyWeights';

/** Latents are squeezed to ±3 before decoding: diffusers' `latent_magnitude`, fixed in its decoder. */
const LATENT_MAGNITUDE = 3;

function runLayer(x: Tensor4D, layer: Layer): Tensor4D {
  if (layer.kind === 'upsampled') return convolvedDoubled(x, layer.phases);
  if (layer.kind === 'convolution') return convolved(x, layer.convolution, { stride: layer.stride, relu: layer.relu });
  const [first, second, third] = layer.convolutions;
  return relu(add<Tensor4D>(convolved(convolved(convolved(x, first, { relu: true }), second, { relu: true }), third), x));
}

/** What stands before the layers, the layers, what stands behind them. `x` stays the caller's. */
async function run(layers: readonly Layer[], x: Tensor4D, before: (x: Tensor4D) => Tensor, behind: (x: Tensor4D) => Tensor, between: Between = async () => {}): Promise<Tensor4D> {
  const made = await drainAsync(throughLayers(layers, tidy(() => before(x) as Tensor4D), (layer, current) => runLayer(current, layer)), between);
  const result = tidy(() => behind(made) as Tensor4D);
  made.dispose();
  return result;
}

function encode({ encoder, scalingFactor, shiftFactor }: TinyWeights, pixels: Tensor4D, between?: Between): Promise<Tensor4D> {
  invariant(encoder, 'this autoencoder was loaded without its encoder');
  return run(encoder, pixels, (x) => div(add(x, 1), 2), (x) => mul(sub(x, shiftFactor), scalingFactor), between);
}

const squeezed = ({ scalingFactor, shiftFactor }: TinyWeights, x: Tensor4D) => mul(tanh(div(add(div(x, scalingFactor), shiftFactor), LATENT_MAGNITUDE)), LATENT_MAGNITUDE);
const clamped = (x: Tensor4D) => clipByValue(sub(mul(x, 2), 1), -1, 1);

function decode(weights: TinyWeights, latent: Tensor4D, between?: Between): Promise<Tensor4D> {
  invariant(weights.decoder, 'this autoencoder was loaded without its decoder');
  return run(weights.decoder, latent, (x) => squeezed(weights, x), clamped, between);
}

async function decodeVjp(weights: TinyWeights, latent: Tensor4D, between: Between = async () => {}): Promise<DecodedVjp> {
  invariant(weights.decoder, 'this autoencoder was loaded without its decoder');
  const layers = [(x: Tensor4D) => squeezed(weights, x), ...weights.decoder.map((layer) => (x: Tensor4D) => runLayer(x, layer)), clamped] as ((x: Tensor) => Tensor)[];
  const { output, backward, dispose } = await drainAsync(chainVjp<Tensor4D, Tensor4D>(layers, latent), between);
  return { pixels: output, pullback: (dPixels) => drainAsync(backward(dPixels), between), dispose };
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
    decodeVjp: (latent, between) => decodeVjp(weights, latent, between),
    dispose: () => disposeTinyWeights(weights),
  };
}
