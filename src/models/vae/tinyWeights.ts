/**
 * Builds the layers of diffusers' AutoencoderTiny from its tensors. What each numbered layer is follows from its keys:
 * `.conv.0…4` a residual block, `.weight` a convolution (in the encoder one without bias halves the picture), a gap in
 * the decoder's numbers an upsampling (number 1 is the ReLU behind the first convolution). Either half may be absent, as in the
 * original's separate files (taesd3_encoder, taesd3_decoder), which have the same layers.
 */
import * as v from 'valibot';
import { Fault } from '../../protocol/faults';
import { readConfig } from '../config';
import { WeightReader } from '../weights';
import type { WeightSource } from '../weightSource';
import { disposeConvolution, phasesOf, readConvolution, type Convolution, type Phases } from './convolution';
import { originalTinyKey, tinyHalf, tinyName, type Half } from './keys';

export type Layer =
  | { kind: 'convolution'; convolution: Convolution; stride: 1 | 2; relu: boolean }
  | { kind: 'block'; convolutions: [Convolution, Convolution, Convolution] }
  | { kind: 'upsampled'; phases: Phases };

export interface TinyWeights {
  encoder: Layer[] | null;
  decoder: Layer[] | null;
  latentChannels: number;
  /** latent = (encoded − shiftFactor)·scalingFactor */
  scalingFactor: number;
  shiftFactor: number;
}

async function layers(keys: readonly string[], reader: WeightReader, half: Half): Promise<Layer[] | null> {
  const prefix = `${half}.layers.`;
  const numbers = keys.filter((key) => key.startsWith(prefix)).map((key) => Number(key.slice(prefix.length).split('.')[0]));
  if (numbers.length === 0) return null;
  const list: Layer[] = [];
  for (let i = 0; i <= Math.max(...numbers); i++) {
    const at = `${prefix}${i}`;
    if (reader.has(`${at}.conv.0.weight`)) {
      const part = (n: number) => readConvolution(reader, `${at}.conv.${n}`);
      list.push({ kind: 'block', convolutions: [await part(0), await part(2), await part(4)] });
    } else if (reader.has(`${at}.weight`)) {
      const read = await readConvolution(reader, at);
      if (half === 'decoder' && i > 2 && !numbers.includes(i - 1)) list.push({ kind: 'upsampled', phases: phasesOf(read) });
      else list.push({ kind: 'convolution', convolution: read, stride: half === 'encoder' && !read.bias ? 2 : 1, relu: half === 'decoder' && i === 0 });
    }
  }
  return list;
}

const factor = v.nullish(v.pipe(v.number(), v.finite()));
const tinyConfig = v.object({ scaling_factor: factor, shift_factor: factor });

/** config: diffusers' (scaling_factor, shift_factor). Throws Faults `base-mismatch`, `tensor-missing`, `tensor-unknown`, `tensor-shape`. */
export async function loadTinyWeights(source: WeightSource, config: unknown): Promise<TinyWeights> {
  const { scaling_factor, shift_factor } = readConfig(config, tinyConfig, 'vae/config.json');
  const [scalingFactor, shiftFactor] = [scaling_factor ?? 1, shift_factor ?? 0];
  const bare = tinyHalf(source.keys());
  const reader = new WeightReader(source, (name) => ({ key: bare ? originalTinyKey(bare, name) : name }));
  const keys = bare ? source.keys().map((key) => tinyName(bare, key)) : source.keys();
  const [encoder, decoder] = [await layers(keys, reader, 'encoder'), await layers(keys, reader, 'decoder')];
  reader.finish();
  const channels = decoder ? reader.shape('decoder.layers.0.weight')[1] : encoder && (encoder.at(-1) as { convolution: Convolution }).convolution.filter.shape[3];
  if (!channels) throw new Fault('tensor-missing', 'The weights hold neither an encoder nor a decoder of the tiny autoencoder.', 'Use the unchanged file of a model that Lamina supports.', { subject: 'decoder.layers.0.weight' });
  return { encoder, decoder, latentChannels: channels, scalingFactor, shiftFactor };
}

export function disposeTinyWeights({ encoder, decoder }: TinyWeights): void {
  for (const layer of [...(encoder ?? []), ...(decoder ?? [])]) {
    const all = layer.kind === 'block' ? layer.convolutions : layer.kind === 'upsampled' ? layer.phases : [layer.convolution];
    all.forEach(disposeConvolution);
  }
}
