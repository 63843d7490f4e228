/**
 * What comes before the first block and after the last: patches with positions, the conditioning vector, text tokens,
 * and the way back from tokens to a velocity. Sinusoids are computed in doubles here, because WGSL promises sin and cos
 * only within [−π, π] and timesteps reach 1000.
 */
import { linear, normModulate, withGradient, type FrozenLinear } from '../../engine/ops';
import { add, matMul, mul, reshape, sigmoid, slice, split, sub, tensor2d, tensor3d, transpose, type Tensor1D, type Tensor2D, type Tensor3D, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { Adapter, Mmdit, TwoLayer } from './types';
import { TIMESTEP_WIDTH } from './weights';

/** x·σ(x); the gradient is only needed for a trained pooled vector, or for an adapter's time embedding. */
export function silu(x: Tensor2D): Tensor2D {
  return withGradient(
    { x },
    (save) => {
      save([x]);
      return mul(x, sigmoid(x)) as Tensor2D;
    },
    (dy, [kept]) => ({
      x: () => {
        const s = sigmoid(kept!);
        return mul(dy, mul(s, add(mul(kept!, sub(1, s)), 1)));
      },
    }),
  );
}

/** What stands before and after the blocks, by the names of their LoRA sites: taken from LoRAs of elsewhere, never trained here. */
export const outerSites = ({ patchEmbed, timeEmbed, pooledEmbed, contextEmbed, normOut, projectOut }: Mmdit): { name: string; layer: FrozenLinear }[] => [
  { name: 'pos_embed.proj', layer: patchEmbed },
  { name: `${TIME}.linear_1`, layer: timeEmbed.first }, { name: `${TIME}.linear_2`, layer: timeEmbed.second },
  { name: `${POOLED}.linear_1`, layer: pooledEmbed.first }, { name: `${POOLED}.linear_2`, layer: pooledEmbed.second },
  { name: 'context_embedder', layer: contextEmbed }, { name: 'norm_out.linear', layer: normOut }, { name: 'proj_out', layer: projectOut },
];
const TIME = 'time_text_embed.timestep_embedder';
const POOLED = 'time_text_embed.text_embedder';

const twoLayers = (x: Tensor2D, w: TwoLayer, name: string, adapter: Adapter | null) => linear(silu(linear(x, w.first, adapter?.[`${name}.linear_1`])), w.second, adapter?.[`${name}.linear_2`]);

/** Text tokens as the blocks read them [B,T,d]. */
export const embedContext = (model: Mmdit, context: Tensor3D, adapter: Adapter | null): Tensor3D => linear(context, model.contextEmbed, adapter?.context_embedder);

/** sigma 0…1 per sample → [B,256]: cosines, then sines, of 1000·sigma·10000^(−k/128). */
export function timestepEmbedding(sigma: readonly number[]): Tensor2D {
  const half = TIMESTEP_WIDTH / 2;
  const values = new Float32Array(sigma.length * TIMESTEP_WIDTH);
  sigma.forEach((s, b) => {
    for (let k = 0; k < half; k++) {
      const angle = 1000 * s * Math.exp((-Math.log(10000) * k) / half);
      values[b * TIMESTEP_WIDTH + k] = Math.cos(angle);
      values[b * TIMESTEP_WIDTH + half + k] = Math.sin(angle);
    }
  });
  return tensor2d(values, [sigma.length, TIMESTEP_WIDTH]);
}

export const timeVector = (model: Mmdit, sigma: readonly number[], adapter: Adapter | null = null): Tensor2D => twoLayers(timestepEmbedding(sigma), model.timeEmbed, TIME, adapter);
export const pooledVector = (model: Mmdit, pooled: Tensor2D, adapter: Adapter | null = null): Tensor2D => twoLayers(pooled, model.pooledEmbed, POOLED, adapter);

/** SiLU of the conditioning vector [B,d]: what every modulation layer reads. */
export function conditioning(model: Mmdit, sigma: readonly number[], pooled: Tensor2D, adapter: Adapter | null = null): Tensor2D {
  return silu(add(timeVector(model, sigma, adapter), pooledVector(model, pooled, adapter)));
}

/** The rows of the position table for a picture of h × w patches: the centre of the table, [1,h·w,d]. */
function positionRows(model: Mmdit, h: number, w: number): Tensor3D {
  const { positionSide: side, hidden } = model.config;
  const kept = model.positions.shape[0];
  invariant(h <= kept && w <= kept, `a picture of ${h} × ${w} patches exceeds the ${kept} kept positions`);
  const offset = (side - kept) >> 1;
  const from = [((side - h) >> 1) - offset, ((side - w) >> 1) - offset, 0];
  return reshape(slice(model.positions, from, [h, w, hidden]), [1, h * w, hidden]);
}

/** Latent [B,h,w,C] → tokens [B,(h/p)·(w/p),d], rows first. */
export function embedPatches(model: Mmdit, x: Tensor4D, adapter: Adapter | null = null): Tensor3D {
  const { patch: p, channels } = model.config;
  const [b, height, width] = x.shape;
  const [h, w] = [height / p, width / p];
  const apart = transpose(reshape(x, [b, h, p, w, p, channels]), [0, 1, 3, 2, 4, 5]); // [B,h,w,p,p,C]
  return add(linear(reshape(apart, [b, h * w, p * p * channels]) as Tensor3D, model.patchEmbed, adapter?.['pos_embed.proj']), positionRows(model, h, w));
}

/** Tokens [B,N,d] after the last block → [B,N,p·p·C], a patch's row, column and channel in this order. c is the conditioning. */
export function finalTokens(model: Mmdit, tokens: Tensor3D, c: Tensor2D, adapter: Adapter | null = null): Tensor3D {
  const modulation = linear(c, model.normOut, adapter?.['norm_out.linear']);
  const [scale, shift] = split(reshape(modulation, [tokens.shape[0], 1, 2 * model.config.hidden]), 2, 2) as [Tensor3D, Tensor3D];
  return linear(normModulate(tokens, shift, scale), model.projectOut, adapter?.proj_out);
}

/** Tokens [B,N,d] after the last block → velocity [B,height,width,C]. */
export function projectTokens(model: Mmdit, tokens: Tensor3D, c: Tensor2D, height: number, width: number, adapter: Adapter | null = null): Tensor4D {
  const { patch: p, outChannels } = model.config;
  const [h, w, b] = [height / p, width / p, tokens.shape[0]];
  const out = finalTokens(model, tokens, c, adapter);
  return reshape(transpose(reshape(out, [b, h, w, p, p, outChannels]), [0, 1, 3, 2, 4, 5]), [b, height, width, outChannels]);
}

/** Which text tokens the concept rows replace: `place` is 1 there, `keep` 1 elsewhere, both [B,T,1]; null if none. */
export interface Places { place: Tensor3D; keep: Tensor3D }

export function placesOf(at: readonly number[], tokens: number): Places | null {
  if (at.every((t) => t < 0)) return null;
  const place = new Float32Array(at.length * tokens);
  at.forEach((t, b) => {
    invariant(t < tokens, `[V] stands at token ${t} of ${tokens}`);
    if (t >= 0) place[b * tokens + t] = 1;
  });
  const shape: [number, number, number] = [at.length, tokens, 1];
  return { place: tensor3d(place, shape), keep: tensor3d(place.map((v) => 1 - v), shape) };
}

/** y with `row` [d] at the places. y [B,T,d]. */
export function overwriteRow(y: Tensor3D, row: Tensor1D, { place, keep }: Places): Tensor3D {
  return withGradient(
    { y, row },
    () => add(mul(y, keep), mul(place, row)) as Tensor3D,
    (dy) => ({
      y: () => mul(dy, keep),
      row: () => reshape(matMul(reshape(place, [1, place.size]), reshape(dy, [place.size, row.size])), [row.size]),
    }),
  );
}
