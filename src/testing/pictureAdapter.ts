/** A picture adapter of any sizes with seeded random weights, none of them zero, as a file would hold it; tiny unless told. */
import type { AdapterKind } from '../models/objectEncoder';
import type { WeightSource } from '../models/weightSource';
import { normal } from '../pipeline/random';

export interface AdapterSizes {
  kind: AdapterKind;
  seed: number;
  /** Of the tower, and the layers that are read. */
  tower: number;
  layers: readonly number[];
  tokens: number;
  resampler: number;
  depth: number;
  tokenWidth: number;
  level: number;
  hidden: number;
  attention: number;
  /** Blocks that cross-attention stands behind. */
  behind: readonly number[];
  /** Of the embedding that identity tokens are made of. */
  identity: number;
  /** Whether to_out and the modulations are zero, as at the start of training. */
  fresh: boolean;
  /** Pairs of a LoRA: site, its inputs and outputs. */
  lora: readonly (readonly [site: string, inputs: number, outputs: number])[];
}

/** Fits the tiny base of tiny.ts and the tower of session/tinyFiles.ts. */
export const tinyAdapter: AdapterSizes = {
  kind: 'object', seed: 1, tower: 12, layers: [1, 2], tokens: 3, resampler: 64, depth: 2, tokenWidth: 8, level: 6, hidden: 16, attention: 64, behind: [0, 2], identity: 14, fresh: false, lora: [],
};

function shapesOf(s: AdapterSizes): Record<string, number[]> {
  const all: Record<string, number[]> = { 'resampler.latents': [s.tokens, s.resampler] };
  const linear = (name: string, inputs: number, outputs: number, bias = true) => Object.assign(all, { [`${name}.weight`]: [outputs, inputs], ...(bias && { [`${name}.bias`]: [outputs] }) });
  const norm = (name: string, width: number) => Object.assign(all, { [`${name}.weight`]: [width], [`${name}.bias`]: [width] });
  s.layers.forEach((_, i) => {
    norm(`resampler.norm_in.${i}`, s.tower);
    linear(`resampler.proj_in.${i}`, s.tower, s.resampler);
  });
  if (s.kind === 'identity') {
    linear('resampler.identity.0', s.identity, s.resampler);
    norm('resampler.identity.1', s.resampler);
    linear('resampler.identity.3', s.resampler, 5 * s.resampler);
  }
  for (let i = 0; i < s.depth; i++) {
    const at = `resampler.layers.${i}`;
    for (const name of ['norm_context', 'norm_latents', 'norm_ff']) norm(`${at}.${name}`, s.resampler);
    linear(`${at}.to_q`, s.resampler, s.resampler, false);
    linear(`${at}.to_kv`, s.resampler, 2 * s.resampler, false);
    linear(`${at}.to_out`, s.resampler, s.resampler, false);
    linear(`${at}.ff.0`, s.resampler, 4 * s.resampler, false);
    linear(`${at}.ff.2`, 4 * s.resampler, s.resampler, false);
  }
  norm('resampler.norm_out', s.resampler);
  linear('resampler.proj_out', s.resampler, s.tokenWidth);
  linear('time.linear_1', 256, s.level);
  linear('time.linear_2', s.level, s.level);
  for (const b of s.behind) {
    norm(`cross.${b}.norm_image`, s.hidden);
    norm(`cross.${b}.norm_tokens`, s.tokenWidth);
    linear(`cross.${b}.modulation`, s.level, 2 * s.tokenWidth);
    linear(`cross.${b}.to_q`, s.hidden, s.attention, false);
    linear(`cross.${b}.to_kv`, s.tokenWidth, 2 * s.attention, false);
    linear(`cross.${b}.to_out`, s.attention, s.hidden, false);
  }
  for (const [site, inputs, outputs] of s.lora) Object.assign(all, { [`transformer.${site}.lora_A.weight`]: [2, inputs], [`transformer.${site}.lora_B.weight`]: [outputs, 2] });
  return all;
}

/** `change` replaces tensors' shapes, or takes them away where it says null: for files that are wrong. */
export function adapterSource(sizes: Partial<AdapterSizes> = {}, change: Record<string, number[] | null> = {}, metadata: Record<string, string> = {}): WeightSource {
  const s = { ...tinyAdapter, ...sizes };
  const shapes = Object.fromEntries(Object.entries({ ...shapesOf(s), ...change }).flatMap(([key, shape]) => (shape ? [[key, shape]] : [])));
  const names = Object.keys(shapes);
  const read = async (key: string) => {
    const shape = shapes[key]!;
    const size = shape.reduce((a, b) => a * b, 1);
    if (s.fresh && /to_out|modulation/.test(key) && key.startsWith('cross.')) return new Float32Array(size);
    const fan = shape.length > 1 ? shape[1]! : 16;
    const centre = /norm[^.]*(\.\d+)?\.weight$|identity\.1\.weight$/.test(key) ? 1 : 0;
    return normal([size], { seed: s.seed, purpose: 'test', step: names.indexOf(key) }).map((value) => centre + value / Math.sqrt(key === 'resampler.latents' ? 1 : fan));
  };
  return {
    keys: () => names,
    has: (key) => key in shapes,
    shape: (key) => shapes[key]!,
    read,
    readRows: async (key, from, to) => (await read(key)).slice(from * shapes[key]![1]!, to * shapes[key]![1]!),
    metadata: async () => ({ 'lamina.adapter': s.kind, 'lamina.layers': s.layers.join(), 'lamina.base': 'embedded', ...metadata }),
  };
}
