/**
 * One joint block: picture tokens x and text tokens y attend to one another, each stream with its own weights.
 * x [B,N,d], y [B,T,d]; modulations [B,k·d]: shift, scale, gate of the attention, then of the MLP (and of attn2 where the
 * block has one). The last block reads the text but no longer changes it: its modulation is (scale, shift).
 */
import { attention, gatedResidual, geluTanh, joinTokens, linear, normModulate, rmsNorm, type FrozenLinear } from '../../engine/ops';
import { reshape, split, type Tensor1D, type Tensor2D, type Tensor3D, type Tensor4D } from '../../engine/tf';
import type { Adapter, AttentionWeights, BlockWeights, MmditConfig, SiteChoice, StreamWeights } from './types';

export interface Streams { x: Tensor3D; y: Tensor3D | null }
/** Sees what the joint attention does, behind QK-norm: queries of the picture stream [B,N,H,hd], keys of the text stream [B,T,H,hd]. */
export type See = (q: Tensor4D, k: Tensor4D) => void;

const SITE_NAMES = {
  x: { q: 'to_q', k: 'to_k', v: 'to_v', out: 'to_out.0' },
  context: { q: 'add_q_proj', k: 'add_k_proj', v: 'add_v_proj', out: 'to_add_out' },
} as const;

const MLP_NAMES = { x: { up: 'ff.net.0.proj', down: 'ff.net.2' }, context: { up: 'ff_context.net.0.proj', down: 'ff_context.net.2' } } as const;
type Stream = keyof typeof SITE_NAMES;

/** Taken from LoRAs of elsewhere, never trained here. */
const dualSite = (index: number, part: 'q' | 'k' | 'v' | 'out') => `transformer_blocks.${index}.attn2.${SITE_NAMES.x[part]}`;
const modulationSite = (index: number, stream: Stream) => `transformer_blocks.${index}.${stream === 'x' ? 'norm1' : 'norm1_context'}.linear`;
const attentionSite = (index: number, stream: Stream, part: 'q' | 'k' | 'v' | 'out') => `transformer_blocks.${index}.attn.${SITE_NAMES[stream][part]}`;
const mlpSite = (index: number, stream: Stream, part: 'up' | 'down') => `transformer_blocks.${index}.${MLP_NAMES[stream][part]}`;

/** The sites of a block in a fixed order, with their layers: the attentions', the MLPs', then those that are never trained. */
export function blockSites(block: BlockWeights, choice: SiteChoice = 'attention+mlp'): { name: string; layer: FrozenLinear }[] {
  const streams = ['x', 'context'] as const;
  const attentions = streams.flatMap((stream) => (['q', 'k', 'v', 'out'] as const).map((part) => ({ name: attentionSite(block.index, stream, part), layer: block[stream].attention[part] })));
  const mlps = streams.flatMap((stream) => (['up', 'down'] as const).map((part) => ({ name: mlpSite(block.index, stream, part), layer: block[stream][part] })));
  const others = [
    ...(['q', 'k', 'v', 'out'] as const).map((part) => ({ name: dualSite(block.index, part), layer: block.dual?.[part] ?? null })),
    ...streams.map((stream) => ({ name: modulationSite(block.index, stream), layer: block[stream].modulation })),
  ];
  return [...attentions, ...(choice === 'attention' ? [] : mlps), ...(choice === 'all' ? others : [])].flatMap(({ name, layer }) => (layer ? [{ name, layer }] : []));
}

const chunks = (modulation: Tensor2D, width: number): Tensor3D[] =>
  split(reshape(modulation, [modulation.shape[0], 1, modulation.shape[1]]), modulation.shape[1] / width, 2) as Tensor3D[];

const normed = (x: Tensor4D, weight: Tensor1D | null) => (weight ? rmsNorm(x, weight) : x);

function heads(x: Tensor3D, config: MmditConfig, weight: Tensor1D | null): Tensor4D {
  return normed(reshape(x, [x.shape[0], x.shape[1], config.heads, config.headWidth]), weight); // [B,N,H,hd]
}

function merged(x: Tensor4D): Tensor3D {
  const [b, n, h, width] = x.shape;
  return reshape(x, [b, n, h * width]); // [B,N,d]
}

type Project = (part: 'q' | 'k' | 'v' | 'out', x: Tensor3D) => Tensor3D;

const projection = (weights: AttentionWeights, site: (part: 'q' | 'k' | 'v' | 'out') => Adapter[string] | undefined): Project =>
  (part, x) => linear(x, weights[part]!, site(part));

type MlpPair = (part: 'up' | 'down') => Adapter[string] | undefined;

function mlp(x: Tensor3D, w: StreamWeights, [shift, scale, gate]: readonly Tensor3D[], lora: MlpPair): Tensor3D {
  return gatedResidual(x, gate!, linear(geluTanh(linear(normModulate(x, shift!, scale!), w.up!, lora('up'))), w.down!, lora('down')));
}

/** The outputs of the block's modulation layers for a conditioning c [B,d]. */
export const modulate = (w: BlockWeights, c: Tensor2D, adapter: Adapter | null): { x: Tensor2D; y: Tensor2D } => ({
  x: linear(c, w.x.modulation, adapter?.[modulationSite(w.index, 'x')]), y: linear(c, w.context.modulation, adapter?.[modulationSite(w.index, 'context')]),
});

/** x and y after the block; y is null after the last one. */
export function runBlock(config: MmditConfig, w: BlockWeights, x: Tensor3D, y: Tensor3D, modulation: { x: Tensor2D; y: Tensor2D }, adapter: Adapter | null, see?: See): Streams {
  const at = (stream: 'x' | 'context') => projection(w[stream].attention, (part) => adapter?.[attentionSite(w.index, stream, part)]);
  const mlpPair = (stream: Stream): MlpPair => (part) => adapter?.[mlpSite(w.index, stream, part)];
  const [onX, onY] = [at('x'), at('context')];
  const forX = chunks(modulation.x, config.hidden);
  const forY = chunks(modulation.y, config.hidden);
  const [shiftY, scaleY] = w.last ? [forY[1]!, forY[0]!] : [forY[0]!, forY[1]!];
  const nx = normModulate(x, forX[0]!, forX[1]!);
  const ny = normModulate(y, shiftY, scaleY);

  const { attention: ax } = w.x;
  const { attention: ay } = w.context;
  const ofX = (part: 'q' | 'k' | 'v', weight: Tensor1D | null = null) => heads(onX(part, nx), config, weight);
  const ofY = (part: 'q' | 'k' | 'v', weight: Tensor1D | null = null) => heads(onY(part, ny), config, weight);
  // Q, K, V in this order, x before y: on the way back their gradients are summed in it.
  const queries = ofX('q', ax.normQ);
  // nobody reads the last block's text queries
  const q = w.last ? queries : joinTokens(queries, ofY('q', ay.normQ)); // [B,N+T,H,hd]
  const [keysX, keysY] = [ofX('k', ax.normK), ofY('k', ay.normK)];
  see?.(queries, keysY);
  const k = joinTokens(keysX, keysY);
  const attended = merged(attention(q, k, joinTokens(ofX('v'), ofY('v'))));
  const [toX, toY] = w.last ? [attended, null] : (split(attended, [x.shape[1], y.shape[1]], 1) as [Tensor3D, Tensor3D]);

  let outX = gatedResidual(x, forX[2]!, onX('out', toX));
  if (w.dual) outX = gatedResidual(outX, forX[8]!, selfAttention(config, w.dual, normModulate(x, forX[6]!, forX[7]!), (part) => adapter?.[dualSite(w.index, part)]));
  outX = mlp(outX, w.x, forX.slice(3, 6), mlpPair('x'));
  if (!toY) return { x: outX, y: null };
  const outY = gatedResidual(y, forY[2]!, onY('out', toY));
  return { x: outX, y: mlp(outY, w.context, forY.slice(3, 6), mlpPair('context')) };
}

/** attn2: the picture tokens alone. */
function selfAttention(config: MmditConfig, w: AttentionWeights, x: Tensor3D, site: (part: 'q' | 'k' | 'v' | 'out') => Adapter[string] | undefined): Tensor3D {
  const part = projection(w, site);
  return part('out', merged(attention(heads(part('q', x), config, w.normQ), heads(part('k', x), config, w.normK), heads(part('v', x), config, null))));
}

