/**
 * A base model as the pipeline uses it: every network of one diffusers folder, the tokenizer, and the encoded empty
 * prompt. Owned by whoever called `loadBase`; `disposeBase` frees all of it. It reads through BaseFiles and never fetches.
 */
import * as v from 'valibot';
import type { Tensor2D, Tensor3D } from '../engine/tf';
import { disposeClipVision, loadClipVision, type ClipVision } from '../models/clip';
import { count, readConfig } from '../models/config';
import { disposeHeadFinder, loadHeadFinder, type HeadFinder } from '../models/headFinder';
import { disposeIdentityEncoder, loadIdentityEncoder, type IdentityEncoder } from '../models/identityEncoder';
import { disposeMmdit, loadMmdit, type Adapter, type Mmdit } from '../models/mmdit';
import { loadLora } from '../models/objectEncoder/weights';
import { disposeAdapter } from './lora';
import { disposePictureAdapter, loadPictureAdapter, type AdapterKind, type PictureAdapter } from '../models/objectEncoder';
import type { TextTower } from '../models/text';
import { makeTokenizer, type Tokenizer } from '../models/tokenizer';
import type { T5Tokenizer } from '../models/tokenizer/t5';
import { loadAutoencoder, type Autoencoder } from '../models/vae';
import { packedLayer } from '../models/weights';
import type { BaseFiles } from '../models/weightSource';
import { Fault } from '../protocol/faults';
import type { FlowTask } from '../protocol/fit';
import { Part, type Lease } from './parts';
import { LATENT_RGB, readLatentToRgb, type LatentToRgb } from './sampling/latentToRgb';
import { PromptCache } from './promptCache';
import { makeSizes, type Sizes } from './sizes';
import { loadT5Tokenizer, loadTextTower, textTokens } from './textTower';

/** Prompts as the transformer reads them. at[i]: position of [V] in the text stream of row i, −1 where there is none. */
export interface EncodedPrompts {
  context: Tensor3D;
  pooled: Tensor2D;
  at: number[];
  /** The same of concepts that the prompts call [name], by name. */
  named?: Record<string, number[]>;
}

/** What flow training and sampling need of a base, with its transformer in place (`flowing`, `leaseFlow`); the rest encodes and decodes. */
export interface FlowBase extends Pick<Base, 'shift' | 'latentShape'> {
  mmdit: Mmdit;
}

/** The networks. Whoever works with one leases it for as long as that takes. */
export interface BaseParts {
  text: Part<TextTower>;
  /** Null: this base cannot tell how alike pictures are. */
  vision: Part<ClipVision> | null;
  autoencoder: Part<Autoencoder>;
  /** A decoder small enough to stand beside the transformer, for pictures on the way. Null: this base has none but its autoencoder. */
  preview: Part<Autoencoder> | null;
  transformer: Part<Mmdit>;
  /** Picture adapters (tokens of a picture, and what reads them in the transformer). Null: this base has none of that kind. */
  object: Part<PictureAdapter> | null;
  identity: Part<PictureAdapter> | null;
  /** Tells faces apart. Null: this base cannot. */
  face: Part<IdentityEncoder> | null;
  /** Sees where heads are, through the image tower. Null: this base cannot. */
  heads: Part<HeadFinder> | null;
  /** A LoRA of the transformer that draws in few steps, without guidance. Null: this base has none. */
  student: Part<Adapter> | null;
}

export interface Base extends Sizes {
  id: string;
  parts: BaseParts;
  tokenizer: Tokenizer;
  /** Null: this base has no T5. */
  t5Tokenizer: T5Tokenizer | null;
  /** Of encodeFieldWords. */
  prompts: PromptCache;
  /** Flow shift of the scheduler: 1 on the embedded base, 3 on SD3.5. */
  shift: number;
  /** Blocks of the transformer as its config says; 0 where it does not. */
  depth: number;
  /** How many zero tokens its text tower gives in place of T5's. */
  zeroTokens: number;
  /** Room for the transformer's blocks beside a task, in bytes; null: as much as they need. */
  room: ((task: FlowTask) => number) | null;
  /** Rough colours of a latent, for pictures that are not worth the decoder. */
  latentToRgb: LatentToRgb;
  /** The empty prompt, one row. */
  null: EncodedPrompts;
}

/** Where a base keeps its picture adapters. */
export const ADAPTER_FOLDERS: Record<AdapterKind, string> = { object: 'object_adapter', identity: 'identity_adapter' };

export const TRANSFORMER_FILE = 'transformer/diffusion_pytorch_model.safetensors';
export const AUTOENCODER_FILE = 'vae/diffusion_pytorch_model.safetensors';

/** Fault `base-mismatch` where both files say what they are and the adapter was trained on another transformer: its sizes may fit all the same. */
function expectMadeFor(what: string, baseSha256: string, { files }: BaseFiles): void {
  const sha256 = files?.[TRANSFORMER_FILE]?.sha256;
  if (!sha256 || baseSha256 === '' || baseSha256 === sha256) return;
  throw new Fault('base-mismatch', `The ${what} here was trained for another version of this model, and would draw nonsense with it.`, 'Reload the page while online, so that both are of one version.');
}

function madeFor(adapter: PictureAdapter, files: BaseFiles): PictureAdapter {
  try {
    expectMadeFor('picture encoder', adapter.baseSha256, files);
    return adapter;
  } catch (error) {
    disposePictureAdapter(adapter);
    throw error;
  }
}

async function loadStudent(files: BaseFiles): Promise<Adapter> {
  const source = await files.weights('student');
  expectMadeFor('LoRA for first looks', (await source.metadata?.())?.['lamina.base_sha256'] ?? '', files);
  return loadLora(source);
}

const textConfig = v.object({ max_position_embeddings: count });
const transformerConfig = v.object({ sample_size: count, patch_size: count, in_channels: count, pos_embed_max_size: count, num_layers: v.optional(count) });
const schedulerConfig = v.object({ shift: v.pipe(v.number(), v.finite()) });

export interface BaseOptions {
  /** Whether the networks stay in memory. Without, each is loaded for its phase and freed after it. */
  partsStay?: boolean;
  /** Room for the blocks of transformer and T5, where they are stored packed: what does not fit is fetched as it is needed. */
  streamBytes?: number;
  /** Of the transformer's, what is left of it beside a task with pictures of this side. */
  beside?: (task: FlowTask, side: number) => number;
}

/** Opens the networks that stay and that it cannot draw or measure without (`loadTheRest` has the others) one after another, so that no two files are in memory as raw bytes at once. Faults: those of the files, and `base-mismatch` for a config that is not as expected. */
export async function loadBase(id: string, files: BaseFiles, { partsStay = true, streamBytes, beside }: BaseOptions = {}): Promise<Base> {
  const read = <T extends v.GenericSchema>(path: string, schema: T) => files.json(path).then((config) => readConfig(config, schema, path));
  const part = <T>(folder: string, load: (source: Awaited<ReturnType<BaseFiles['weights']>>, config: unknown) => Promise<T>, free: (part: T) => void) =>
    new Part(async () => load(await files.weights(folder), await files.json(`${folder}/config.json`)), free, partsStay);

  const adapterPart = async (kind: AdapterKind): Promise<Part<PictureAdapter> | null> => {
    const folder = ADAPTER_FOLDERS[kind];
    // without a tower there is nothing to make tokens of
    if (!(await files.has(folder)) || !(await files.has('image_encoder'))) return null;
    return new Part(async () => madeFor(await loadPictureAdapter(await files.weights(folder), kind, partsStay ? undefined : packedLayer({ precision: 'f16' })), files), disposePictureAdapter, partsStay);
  };

  const tokenizer = makeTokenizer({ merges: await files.text('tokenizer/merges.txt'), maxLength: (await read('text_encoder/config.json', textConfig)).max_position_embeddings });
  const t5Tokenizer = await loadT5Tokenizer(files);
  const { sample_size: side, patch_size: patch, in_channels: channels, pos_embed_max_size: mostPatches, num_layers: depth = 0 } = await read('transformer/config.json', transformerConfig);
  const latentToRgb = readLatentToRgb(await files.json(LATENT_RGB), channels);
  const { shift } = await read('scheduler/scheduler_config.json', schedulerConfig);
  const parts: BaseParts = {
    text: new Part(() => loadTextTower(files, streamBytes), (tower) => tower.dispose(), partsStay),
    vision: (await files.has('image_encoder')) ? part('image_encoder', loadClipVision, disposeClipVision) : null,
    autoencoder: part('vae', loadAutoencoder, (autoencoder) => autoencoder.dispose()),
    preview: (await files.has('vae_preview')) ? part('vae_preview', loadAutoencoder, (autoencoder) => autoencoder.dispose()) : null,
    transformer: part('transformer', (source, config) => loadMmdit(source, config, { ...(streamBytes !== undefined && { streamBytes }) }), disposeMmdit),
    object: await adapterPart('object'),
    identity: await adapterPart('identity'),
    face: (await files.has('identity_encoder')) ? part('identity_encoder', loadIdentityEncoder, disposeIdentityEncoder) : null,
    heads: (await files.has('head_finder')) && (await files.has('image_encoder')) ? part('head_finder', loadHeadFinder, disposeHeadFinder) : null,
    student: (await files.has('student')) ? new Part(() => loadStudent(files), disposeAdapter, partsStay) : null,
  };
  try {
    if (partsStay) for (const each of [parts.text, parts.vision, parts.autoencoder, parts.preview, parts.transformer] as (Part<unknown> | null)[]) await each?.use(() => undefined);
    const downscale = await parts.autoencoder.use((autoencoder) => autoencoder.downscale);
    const [empty, zeroTokens] = await parts.text.use(async (tower) => [await tower.encode(textTokens({ tokenizer, t5Tokenizer }, [''])), tower.zeroTokens] as const);
    const sizes = makeSizes({ own: { height: side * downscale, width: side * downscale }, downscale, channels, patch, mostPatches });
    return {
      id, parts, tokenizer, t5Tokenizer, prompts: new PromptCache(), shift, depth, zeroTokens, latentToRgb, ...sizes,
      room: beside ? (task) => beside(task, sizes.pictureSize().width) : null,
      null: { context: empty.context, pooled: empty.pooled, at: [-1] },
    };
  } catch (error) {
    disposeParts(parts);
    throw error;
  }
}

/**
 * Loads what a base that stays in memory can draw and learn without (picture adapters, what finds and tells heads, the student), one after another,
 * so that the first who needs one does not wait for it. One that cannot be read says so to whoever asks for it; everything else works without.
 */
export async function loadTheRest({ parts: { object, identity, face, heads, student } }: Pick<Base, 'parts'>, between: () => Promise<void>): Promise<void> {
  for (const each of [student, object, heads, identity, face] as (Part<unknown> | null)[]) {
    if (!each?.stays) continue;
    await between();
    await each.use(() => undefined).catch(() => undefined);
  }
}

/** The base with its transformer in place, until the lease is given back; its blocks take the room that the task leaves them. */
export async function leaseFlow({ parts, shift, latentShape, room }: Pick<Base, 'parts' | 'shift' | 'latentShape' | 'room'>, task: FlowTask = 'draw'): Promise<Lease<FlowBase>> {
  const { part: mmdit, release } = await parts.transformer.lease();
  if (room) mmdit.residency?.limit?.(room(task));
  return { part: { mmdit, shift, latentShape }, release };
}

/** Runs `work` with the transformer in place, and nothing else of its size: what encodes and decodes comes before and after. */
export async function flowing<R>(base: Parameters<typeof leaseFlow>[0], work: (flow: FlowBase) => Promise<R>): Promise<R> {
  const { part, release } = await leaseFlow(base);
  try {
    return await work(part);
  } finally {
    release();
  }
}

const disposeParts = (parts: BaseParts): void => Object.values(parts).forEach((part: Part<never> | null) => part?.dispose());

export function disposeBase(base: Base): void {
  disposeParts(base.parts);
  base.prompts.dispose();
  base.null.context.dispose();
  base.null.pooled.dispose();
}
