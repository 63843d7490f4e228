/** CLIP's image encoder: patches, a class token, learned positions; the class token's final norm, projected and normalised. */
import { alias, disposeLinear, frozenLinear, layerNorm, linear, type FrozenLinear } from '../../engine/ops';
import { add, concat, dispose, div, norm, reshape, slice, tidy, tile, transpose, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { chainVjp, type ChainVjp } from '../layersVjp';
import { drain, drainAsync, Hold, type Between, type Steps } from '../steps';
import { WeightReader } from '../weights';
import type { WeightSource } from '../weightSource';
import { clipSettings, disposeLayers, disposeNorm, readLayers, readNorm, runLayer, type ClipLayer, type ClipSettings, type Norm } from './layers';

export interface ClipVision {
  settings: ClipSettings;
  patch: number;
  /** Side of the pictures it takes, in pixels. */
  imageSize: number;
  patchEmbed: FrozenLinear;
  classToken: Tensor1D;
  /** [1 + patches, d], the class token's first. */
  positions: Tensor2D;
  preNorm: Norm;
  layers: ClipLayer[];
  postNorm: Norm;
  projection: FrozenLinear;
}

/** Throws Faults `tensor-missing`, `tensor-unknown`, `tensor-shape`, `base-mismatch`. */
export async function loadClipVision(source: WeightSource, config: unknown): Promise<ClipVision> {
  const reader = new WeightReader(source);
  const at = 'vision_model.';
  const [width = 0, channels = 0, patch = 0] = reader.shape(`${at}embeddings.patch_embedding.weight`);
  const [positions = 0] = reader.shape(`${at}embeddings.position_embedding.weight`);
  const read = await reader.values(`${at}embeddings.patch_embedding.weight`, [width, channels, patch, patch]);
  // [d,C,p,p] → linear over (row, column, channel), to suit NHWC
  const area = patch * patch;
  const values = new Float32Array(read.length);
  for (let o = 0; o < width; o++) {
    for (let c = 0; c < channels; c++) for (let p = 0; p < area; p++) values[(p * channels + c) * width + o] = read[(o * channels + c) * area + p]!;
  }
  const model: ClipVision = {
    settings: clipSettings(config, 'image_encoder/config.json'),
    patch,
    imageSize: Math.round(Math.sqrt(positions - 1)) * patch,
    patchEmbed: frozenLinear(values, area * channels, width, null),
    classToken: await reader.vector(`${at}embeddings.class_embedding`, width),
    positions: await reader.table(`${at}embeddings.position_embedding.weight`, [positions, width]),
    preNorm: await readNorm(reader, `${at}pre_layrnorm`, width), // the checkpoint's own spelling
    layers: await readLayers(reader, `${at}encoder.layers.`, width),
    postNorm: await readNorm(reader, `${at}post_layernorm`, width),
    projection: await reader.linear('visual_projection', width, reader.shape('visual_projection.weight')[0]!, false),
  };
  reader.accept(`${at}embeddings.position_ids`); // 0, 1, 2, … in files of older transformers
  reader.finish();
  return model;
}

/** What stands before the layers: pixels → tokens [B,1+patches,d]. */
function embedded(model: ClipVision, pixels: Tensor4D): Tensor3D {
  const { patch: p, imageSize, settings } = model;
  const [b, height, width, channels] = pixels.shape;
  invariant(height === imageSize && width === imageSize, `the image encoder takes ${imageSize} × ${imageSize} pixels`);
  const side = imageSize / p;
  const apart = transpose(reshape(pixels, [b, side, p, side, p, channels]), [0, 1, 3, 2, 4, 5]);
  const patches = linear(reshape(apart, [b, side * side, p * p * channels]) as Tensor3D, model.patchEmbed);
  const tokens = concat([tile(reshape(model.classToken, [1, 1, -1]), [b, 1, 1]), patches], 1) as Tensor3D;
  return layerNorm(add(tokens, model.positions) as Tensor3D, model.preNorm.weight, model.preNorm.bias, settings.epsilon);
}

/** What stands behind them: [B,p] of length 1. */
function projected({ settings, postNorm, projection }: ClipVision, x: Tensor3D): Tensor2D {
  const [b, , d] = x.shape;
  const first = reshape(slice(x, [0, 0, 0], [b, 1, d]), [b, d]) as Tensor2D;
  const vector = linear(layerNorm(first, postNorm.weight, postNorm.bias, settings.epsilon), projection);
  return div(vector, norm(vector, 2, 1, true)) as Tensor2D;
}

function* imageSteps(model: ClipVision, pixels: Tensor4D, visit?: (state: Tensor3D, layer: number) => void): Steps<Tensor2D> {
  const { settings } = model;
  const hold = new Hold();
  try {
    let x = hold.add(tidy(() => embedded(model, pixels)));
    for (const [i, layer] of model.layers.entries()) {
      const next = hold.add(tidy(() => runLayer(layer, x, settings, false)));
      hold.drop(x);
      x = next;
      visit?.(x, i + 1);
      yield;
    }
    return tidy(() => projected(model, x));
  } finally {
    hold.free();
  }
}

/** pixels [B,S,S,3] in −1…1, S = imageSize → [B,p] of length 1. The embedded base's encoder was trained on that range. */
export const encodeImage = (model: ClipVision, pixels: Tensor4D): Tensor2D => drain(imageSteps(model, pixels));

/** The same, awaiting `between` after each layer. */
export const encodeImageAsync = (model: ClipVision, pixels: Tensor4D, between: Between): Promise<Tensor2D> => drainAsync(imageSteps(model, pixels), between);

/** The same with the way back to the pixels. */
export function imageVjp(model: ClipVision, pixels: Tensor4D, between: Between): Promise<ChainVjp<Tensor4D, Tensor2D>> {
  const layers = [
    (x: Tensor) => embedded(model, x as Tensor4D),
    ...model.layers.map((layer) => (x: Tensor) => runLayer(layer, x as Tensor3D, model.settings, false)),
    (x: Tensor) => projected(model, x as Tensor3D),
  ];
  return drainAsync(chainVjp<Tensor4D, Tensor2D>(layers, pixels), between);
}

export interface ImageStates {
  /** [B,1+patches,d] of each layer asked for, in the order asked, before the final norm. */
  hidden: Tensor3D[];
  /** As of encodeImage. */
  embedding: Tensor2D;
}

/** The states after the layers of those numbers (from 1), with the embedding, in one pass. The caller disposes all of it. */
export async function imageStates(model: ClipVision, pixels: Tensor4D, layers: readonly number[], between: Between = async () => {}): Promise<ImageStates> {
  const depth = model.layers.length;
  invariant(layers.every((layer) => Number.isInteger(layer) && layer >= 1 && layer <= depth), `layers ${layers.join()} of an image encoder of ${depth}`);
  const states = new Map<number, Tensor3D>();
  const visit = (state: Tensor3D, layer: number) => {
    if (layers.includes(layer)) states.set(layer, alias(state));
  };
  try {
    const embedding = await drainAsync(imageSteps(model, pixels, visit), between);
    const first = new Set<number>();
    // a layer asked for twice is two tensors
    return { embedding, hidden: layers.map((layer) => (first.has(layer) ? alias(states.get(layer)!) : (first.add(layer), states.get(layer)!))) };
  } catch (error) {
    dispose([...states.values()]);
    throw error;
  }
}

export function disposeClipVision(model: ClipVision): void {
  disposeLinear(model.patchEmbed);
  disposeLinear(model.projection);
  model.classToken.dispose();
  model.positions.dispose();
  [model.preNorm, model.postNorm].forEach(disposeNorm);
  disposeLayers(model.layers);
}
