/**
 * Tokens of a picture: learned queries attend, layer by layer, to the image tower's states at several depths and to themselves
 * (a perceiver resampler, arXiv 2204.14198; with identity tokens as in PuLID, arXiv 2404.16022). A pure function of the
 * states: it sees no noise level, so the tokens can be kept.
 */
import { attention, geluErf, layerNorm, linear } from '../../engine/ops';
import { add, concat, reshape, slice, split, tidy, tile, type Tensor2D, type Tensor3D, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { Norm } from '../clip/layers';
import { HEAD_WIDTH } from '../mmdit/crossAttention';
import { drainAsync, Hold, type Between, type Steps } from '../steps';
import type { PictureAdapter, Resampler, ResamplerLayer } from './types';

export interface EncodedPicture {
  /** The tower's states [B,T,towerWidth], one a scale, in the order of `towerLayers`. */
  hidden: readonly Tensor3D[];
  /** Embedding of who it is beside the tower's own of length 1, [B,identityWidth]; null for objects. */
  identity: Tensor2D | null;
}

const normed = (x: Tensor3D, { weight, bias }: Norm) => layerNorm(x, weight, bias);
const heads = (x: Tensor3D): Tensor4D => reshape(x, [x.shape[0], x.shape[1], x.shape[2] / HEAD_WIDTH, HEAD_WIDTH]);

/** [B,5,dr] */
function identityTokens({ first, norm, second }: NonNullable<Resampler['identity']>, identity: Tensor2D, width: number): Tensor3D {
  const made = linear(geluErf(layerNorm(linear(identity, first), norm.weight, norm.bias)), second);
  return reshape(made, [identity.shape[0], second.outFeatures / width, width]);
}

function runLayer(w: ResamplerLayer, z: Tensor3D, context: Tensor3D): Tensor3D {
  const queries = normed(z, w.normLatents);
  const given = concat([normed(context, w.normContext), queries], 1) as Tensor3D;
  const [k, v] = split(linear(given, w.kv), 2, 2) as [Tensor3D, Tensor3D];
  const attended = reshape(attention(heads(linear(queries, w.q)), heads(k), heads(v)), z.shape) as Tensor3D;
  const middle = add(z, linear(attended, w.out)) as Tensor3D;
  return add(middle, linear(geluErf(linear(normed(middle, w.normMlp), w.up)), w.down));
}

function* encodeSteps({ resampler: r, towerLayers, tokens }: PictureAdapter, { hidden, identity }: EncodedPicture): Steps<Tensor3D> {
  invariant(hidden.length === towerLayers.length, `${towerLayers.length} of the tower's states are read, ${hidden.length} are given`);
  invariant((r.identity === null) === (identity === null), 'an identity adapter, and only that, reads an embedding of who it is');
  const hold = new Hold();
  const [count, width] = r.latents.shape;
  const batch = hidden[0]!.shape[0];
  try {
    const who = identity && r.identity ? hold.add(tidy(() => identityTokens(r.identity!, identity, width))) : null;
    const context = r.scales.map(({ norm, project }, s) => hold.add(tidy(() => {
      const read = linear(normed(hidden[s]!, norm), project);
      return who ? concat([who, read], 1) as Tensor3D : read;
    })));
    let z = hold.add(tidy(() => {
      const queries = tile(reshape(r.latents, [1, count, width]), [batch, 1, 1]) as Tensor3D;
      return who ? concat([queries, who], 1) as Tensor3D : queries;
    }));
    for (const [i, w] of r.layers.entries()) {
      const next = hold.add(tidy(() => runLayer(w, z, context[Math.floor((i * context.length) / r.layers.length)]!)));
      hold.drop(z);
      z = next;
      yield;
    }
    return tidy(() => linear(normed(slice(z, [0, 0, 0], [batch, tokens.count, width]), r.normOut), r.projectOut));
  } finally {
    hold.free();
  }
}

/** [B,N,tokens.width]. The caller disposes. What `between` throws passes through. */
export const encodeTokens = (adapter: PictureAdapter, picture: EncodedPicture, between: Between = async () => {}): Promise<Tensor3D> => drainAsync(encodeSteps(adapter, picture), between);
