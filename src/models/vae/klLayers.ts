/** AutoencoderKL's layers, one after the other: each intermediate is given back as soon as it has been read. */
import { attention, linear } from '../../engine/ops';
import { add, concat, reshape, slice, tidy, type Tensor3D, type Tensor4D } from '../../engine/tf';
import { giveBack, submitWork } from '../../engine/webgpu/submit';
import { throughLayers, type Steps } from '../steps';
import { convolved, convolvedDoubled } from './convolution';
import { groupNorm, type GroupNorm } from './groupNorm';
import type { KlAttention, KlBlock, KlLayer } from './klWeights';

/** How a norm is computed; the caller disposes what it gives. */
export type Normalise = (x: Tensor4D, norm: GroupNorm, silu: boolean) => Tensor4D;

/** Queries that attend at a time: the scores of all places of a large picture would not fit. */
const QUERIES = 1024;

/** Runs one after the other, disposing of what each was given but the first. */
function inTurn(x: Tensor4D, ...each: ((x: Tensor4D) => Tensor4D)[]): Tensor4D {
  return each.reduce((given, run) => {
    const made = run(given);
    if (given !== x) giveBack(given);
    return made;
  }, x);
}

function runBlock({ norm1, conv1, norm2, conv2, shortcut }: KlBlock, x: Tensor4D, normalise: Normalise): Tensor4D {
  const changed = inTurn(x, (h) => normalise(h, norm1, true), (h) => convolved(h, conv1), (h) => normalise(h, norm2, true), (h) => convolved(h, conv2));
  return add(changed, shortcut ? convolved(x, shortcut) : x);
}

function runAttention({ norm, q, k, v, out }: KlAttention, x: Tensor4D, normalise: Normalise): Tensor4D {
  const [b, h, w, c] = x.shape;
  const places = h * w;
  const given = reshape(normalise(x, norm, false), [b, places, c]) as Tensor3D;
  const oneHead = (t: Tensor3D) => reshape(t, [b, places, 1, c]) as Tensor4D;
  const [queries, keys, values] = [q, k, v].map((layer) => oneHead(linear(given, layer))) as [Tensor4D, Tensor4D, Tensor4D];
  const parts: Tensor4D[] = [];
  for (let from = 0; from < places; from += QUERIES) {
    parts.push(tidy(() => attention(slice(queries, [0, from, 0, 0], [b, Math.min(QUERIES, places - from), 1, c]), keys, values)));
    submitWork();
  }
  const attended = reshape(concat(parts, 1), [b, places, c]) as Tensor3D;
  return add(x, reshape(linear(attended, out), [b, h, w, c]));
}

function runLayer(layer: KlLayer, x: Tensor4D, normalise: Normalise): Tensor4D {
  switch (layer.kind) {
    case 'convolution': return convolved(x, layer.convolution);
    case 'halved': return convolved(x, layer.convolution, { stride: 2, pad: [[0, 1], [0, 1]] });
    case 'doubled': return convolvedDoubled(x, layer.phases);
    case 'norm': return normalise(x, layer.norm, true);
    case 'attention': return runAttention(layer.attention, x, normalise);
    case 'block': return runBlock(layer.block, x, normalise);
  }
}

/** Takes `x` over. */
export const layerSteps = (layers: readonly KlLayer[], x: Tensor4D, normalise: Normalise = groupNorm): Steps<Tensor4D> => throughLayers(layers, x, (layer, current) => runLayer(layer, current, normalise), giveBack);

/** How far the layers look, in places of the coarsest picture among them; they run from fine to coarse or from coarse to fine. */
export function reachOf(layers: readonly KlLayer[]): number {
  const doubles = layers.some(({ kind }) => kind === 'doubled');
  const steps = layers.filter(({ kind }) => kind === (doubles ? 'doubled' : 'halved')).length;
  let finer = doubles ? 0 : steps; // log2 of places for each of the coarsest
  let reach = 0;
  for (const { kind } of layers) {
    const looks = kind === 'block' ? 2 : kind === 'norm' || kind === 'attention' ? 0 : 1;
    reach += looks / 2 ** finer;
    if (kind === 'doubled') finer++;
    if (kind === 'halved') finer--;
  }
  return Math.ceil(reach);
}
