/**
 * A base model as the pipeline uses it: every network of one diffusers folder, the tokenizer, and the encoded empty
 * prompt. Owned by whoever called `loadBase`; `disposeBase` frees all of it. It reads through BaseFiles and never fetches.
 */
import type { Tensor2D, Tensor3D } from '../engine/tf';
import { disposeClipText, disposeClipVision, encodeTextAsync, loadClipText, loadClipVision, type ClipText, type ClipVision } from '../models/clip';
import { disposeMmdit, loadMmdit, type Mmdit } from '../models/mmdit';
import { makeTokenizer, type Tokenizer } from '../models/tokenizer';
import { loadAutoencoder, type Autoencoder } from '../models/vae';
import type { BaseFiles } from '../models/weightSource';
import { Fault } from '../protocol/faults';
import { PromptCache } from './promptCache';
import { makeSizes, type Sizes } from './sizes';

/** Prompts as the transformer reads them. at[i]: position of [V] in the text stream of row i, −1 where there is none. */
export interface EncodedPrompts {
  context: Tensor3D;
  pooled: Tensor2D;
  at: number[];
  /** The same of concepts that the prompts call [name], by name. */
  named?: Record<string, number[]>;
}

/** What flow training and sampling need of a base; the rest encodes and decodes. */
export type FlowBase = Pick<Base, 'mmdit' | 'shift' | 'latentShape'>;

export interface Base extends Sizes {
  id: string;
  mmdit: Mmdit;
  autoencoder: Autoencoder;
  text: ClipText;
  vision: ClipVision;
  tokenizer: Tokenizer;
  /** Of encodeFieldWords. */
  prompts: PromptCache;
  /** Flow shift of the scheduler: 1 on the embedded base, 3 on SD3.5. */
  shift: number;
  /** The empty prompt, one row. */
  null: EncodedPrompts;
}

/** A number of a config file. Fault `base-incomplete` names the file and the field. */
function numberOf(config: unknown, key: string, path: string): number {
  const value = (config as Record<string, unknown> | null)?.[key];
  if (typeof value !== 'number') throw new Fault('base-incomplete', `The base model’s ${path} has no number “${key}”.`, 'Load the base model again.', { subject: path });
  return value;
}

/** Loads the networks one after another, so that no two files are in memory as raw bytes at once. */
export async function loadBase(id: string, files: BaseFiles): Promise<Base> {
  const network = async (folder: string) => ({ source: await files.weights(folder), config: await files.json(`${folder}/config.json`) });

  const textConfig = await files.json('text_encoder/config.json');
  const tokenizer = makeTokenizer({ merges: await files.text('tokenizer/merges.txt'), maxLength: numberOf(textConfig, 'max_position_embeddings', 'text_encoder/config.json') });
  const text = await loadClipText(await files.weights('text_encoder'), textConfig);
  const seen = await network('image_encoder');
  const vision = await loadClipVision(seen.source, seen.config);
  const pictures = await network('vae');
  const autoencoder = await loadAutoencoder(pictures.source, pictures.config);
  const transformer = await network('transformer');
  const mmdit = await loadMmdit(transformer.source, transformer.config);

  const side = numberOf(transformer.config, 'sample_size', 'transformer/config.json');
  const { channels, patch, positionSide } = mmdit.config;
  const { downscale } = autoencoder;
  const empty = await encodeTextAsync(text, [tokenizer.encode('')], async () => {});
  empty.lastNormed.dispose();
  return {
    id, mmdit, autoencoder, text, vision, tokenizer, prompts: new PromptCache(),
    shift: numberOf(await files.json('scheduler/scheduler_config.json'), 'shift', 'scheduler/scheduler_config.json'),
    ...makeSizes({ own: { height: side * downscale, width: side * downscale }, downscale, channels, patch, mostPatches: positionSide }),
    null: { context: empty.context, pooled: empty.pooled, at: [-1] },
  };
}

export function disposeBase(base: Base): void {
  disposeMmdit(base.mmdit);
  base.autoencoder.dispose();
  base.prompts.dispose();
  disposeClipText(base.text);
  disposeClipVision(base.vision);
  base.null.context.dispose();
  base.null.pooled.dispose();
}
