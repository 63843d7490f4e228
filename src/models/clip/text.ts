/**
 * CLIP's text encoder: causal, learned positions, padding not masked. SD3 reads the hidden states after the last layer
 * but one, without the final norm, and a pooled vector: the final norm at the end marker, projected.
 */
import * as v from 'valibot';
import { disposeLinear, layerNorm, linear, takeRows, type FrozenLinear } from '../../engine/ops';
import { add, reshape, slice, tidy, type Tensor2D, type Tensor3D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { readConfig } from '../config';
import { drain, drainAsync, Hold, type Between, type Steps } from '../steps';
import { disposeTokenTable, openTokenTable, tokenRows, type TokenTable } from '../tokenTable';
import { WeightReader, type LayerMaker } from '../weights';
import type { WeightSource } from '../weightSource';
import { clipSettings, disposeLayers, disposeNorm, readLayers, readNorm, runLayer, type ClipLayer, type ClipSettings, type Norm } from './layers';

/**
 * Where the pooled vector is read: at the first end marker, or at the largest id, as configs that still say
 * `eos_token_id: 2` do (the same place unless a token was added behind the end marker).
 */
export type Pooling = 'first-end' | 'largest-id';

export interface ClipText {
  settings: ClipSettings;
  pooling: Pooling;
  endId: number;
  tokens: TokenTable;
  /** [length, d] */
  positions: Tensor2D;
  layers: ClipLayer[];
  finalNorm: Norm;
  /** Absent in stand-alone CLIP-L files: the identity then. */
  projection: FrozenLinear | null;
}

/** Owned by the caller. */
export interface EncodedText {
  /** [B,L,d]: after the last layer but one. */
  context: Tensor3D;
  /** [B,p]: the final norm at the pooling place, projected. */
  pooled: Tensor2D;
  /** [B,L,d]: after the last layer and the final norm. */
  lastNormed: Tensor3D;
}

const CONFIG = 'text_encoder/config.json';

export interface ClipTextOptions {
  /** Stands before every key; keys without it are not looked at. */
  prefix?: string;
  /** Makes the layers' linear weights; float32 by default. */
  layer?: LayerMaker;
}

/** Throws Faults `tensor-missing`, `tensor-unknown`, `tensor-shape`, `base-mismatch`. */
export async function loadClipText(source: WeightSource, config: unknown, { prefix = '', layer }: ClipTextOptions = {}): Promise<ClipText> {
  const reader = new WeightReader(source, (name) => ({ key: prefix + name }));
  const settings = clipSettings(config, CONFIG);
  const at = 'text_model.';
  const [vocabulary = 0, width = 0] = reader.shape(`${at}embeddings.token_embedding.weight`);
  const [length = 0] = reader.shape(`${at}embeddings.position_embedding.weight`);
  const { eos_token_id: declaredEnd = vocabulary - 1 } = readConfig(config, v.object({ eos_token_id: v.optional(v.pipe(v.number(), v.integer())) }), CONFIG);
  const model: ClipText = {
    settings,
    pooling: declaredEnd === 2 ? 'largest-id' : 'first-end',
    endId: declaredEnd === 2 ? vocabulary - 1 : declaredEnd,
    tokens: await openTokenTable(reader, `${at}embeddings.token_embedding.weight`),
    positions: await reader.table(`${at}embeddings.position_embedding.weight`, [length, width]),
    layers: await readLayers(reader, `${at}encoder.layers.`, width, layer),
    finalNorm: await readNorm(reader, `${at}final_layer_norm`, width),
    projection: reader.has('text_projection.weight') ? await reader.linear('text_projection', width, reader.shape('text_projection.weight')[0]!, false) : null,
  };
  reader.accept(`${at}embeddings.position_ids`); // 0, 1, 2, … in files of older transformers
  reader.finish(prefix);
  return model;
}

export interface EncodeOptions {
  /** Rows of added tokens [n,d], ids from the vocabulary's end on. */
  added?: Tensor2D;
  pooling?: Pooling;
}

function pooledPlace(ids: readonly number[], endId: number, pooling: Pooling): number {
  const place = pooling === 'largest-id' ? ids.indexOf(Math.max(...ids)) : ids.indexOf(endId);
  invariant(place >= 0, 'a prompt has no end marker');
  return place;
}

/** One layer after another; `x` is taken over. */
function* layerSteps({ layers, settings }: ClipText, x: Tensor3D, hold: Hold): Steps<Tensor3D> {
  let current = hold.add(x);
  for (const layer of layers.slice(0, -1)) {
    const next = hold.add(tidy(() => runLayer(layer, current, settings, true)));
    hold.drop(current);
    current = next;
    yield;
  }
  return current;
}

function* textSteps(model: ClipText, ids: readonly (readonly number[])[], options: EncodeOptions): Steps<EncodedText> {
  const { settings, layers, finalNorm } = model;
  const [batch, length, width] = [ids.length, ids[0]?.length ?? 0, model.tokens.width];
  invariant(batch > 0 && ids.every((row) => row.length === length) && length <= model.positions.shape[0], 'prompts must have one length, within the positions');
  const hold = new Hold();
  try {
    const rows = hold.add(yield* tokenRows(model.tokens, ids.flat(), options.added));
    const embedded = tidy(() => add<Tensor3D>(reshape(rows, [batch, length, width]), slice(model.positions, [0, 0], [length, width])));
    hold.drop(rows);
    const context = yield* layerSteps(model, embedded, hold);
    const last = tidy(() => {
      const lastNormed = layerNorm(runLayer(layers.at(-1)!, context, settings, true), finalNorm.weight, finalNorm.bias, settings.epsilon);
      const places = ids.map((row, b) => b * length + pooledPlace(row, model.endId, options.pooling ?? model.pooling));
      const raw = takeRows(reshape(lastNormed, [batch * length, width]), places);
      return { lastNormed, pooled: model.projection ? linear(raw, model.projection) : raw };
    });
    return { context: hold.release(context), ...last };
  } finally {
    hold.free();
  }
}

/** ids [B][L], all of one length, at most as many as the model has positions. */
export const encodeText = (model: ClipText, ids: readonly (readonly number[])[], options: EncodeOptions = {}): EncodedText => drain(textSteps(model, ids, options));

/** The same, awaiting `between` after each layer. */
export const encodeTextAsync = (model: ClipText, ids: readonly (readonly number[])[], between: Between, options: EncodeOptions = {}): Promise<EncodedText> => drainAsync(textSteps(model, ids, options), between);

export function disposeClipText(model: ClipText): void {
  disposeTokenTable(model.tokens);
  model.positions.dispose();
  disposeLayers(model.layers);
  disposeNorm(model.finalNorm);
  if (model.projection) disposeLinear(model.projection);
}
