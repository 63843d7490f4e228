/**
 * Random weights under the true names and shapes of released models, in F16: nothing to look at, but a file of the true size and
 * form, for imports and memory. Norms' weights are 1, everything else N(0, 0.02²).
 */
import { readFile } from 'node:fs/promises';
import { toHalf } from '../../formats/float16';
import { normal } from '../../pipeline/random';
import type { TensorBytes } from './container';

type Shapes = Record<string, number[]>;

const MANIFESTS = { 'sd3.5-medium': 'sd35_medium.original', 'clip-l': 'clip_l', 'clip-g': 'clip_g' } as const;
export type FakeModel = keyof typeof MANIFESTS;
export const FAKE_MODELS = Object.keys(MANIFESTS) as FakeModel[];

const manifest = async (model: FakeModel): Promise<Shapes> => (JSON.parse(await readFile(`fixtures/sd3/manifests/${MANIFESTS[model]}.json`, 'utf8')) as { shapes: Shapes }).shapes;

/** Head width of every released model. */
const HEAD = 64;

/**
 * The model made narrow: every width that counts features is multiplied by √scale, in whole heads, so that about `scale` of its
 * weights are left and it still fits together (and the text encoders to the transformer). Names, depth, kernels and vocabulary stay.
 */
function narrowed(shapes: Shapes, model: FakeModel, scale: number): Shapes {
  if (scale === 1) return shapes;
  const narrow = (width: number) => Math.max(1, Math.round((width / HEAD) * Math.sqrt(scale))) * HEAD;
  const [hidden, clipL, clipG] = [narrow(1536), narrow(768), narrow(1280)];
  const widths = new Map<number, number>();
  const add = (from: number, to: number, most = 4) => { for (let k = 1; k <= most; k++) widths.set(from * k, to * k); };
  if (model === 'sd3.5-medium') {
    widths.set(4096, clipL + clipG + HEAD).set(2048, clipL + clipG);
    add(1536, hidden, 9);
  } else add(model === 'clip-l' ? 768 : 1280, model === 'clip-l' ? clipL : clipG);
  const positions = Math.round(384 * Math.sqrt(scale) / 2) * 2;
  widths.set(384 ** 2, positions ** 2);
  return Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, shape.map((size) => (key.startsWith('first_stage_model.') ? NARROW_AUTOENCODER : widths).get(size) ?? size)]));
}

/** A quarter of its width; latents have sixteen channels still. */
const NARROW_AUTOENCODER = new Map([[128, 32], [256, 64], [512, 128]]);

/** Values drawn once and used again and again, from another place each time. */
const POOL = 1 << 20;

export async function randomTensors(model: FakeModel, scale: number, seed = 1): Promise<TensorBytes[]> {
  const shapes = narrowed(await manifest(model), model, scale);
  const pool = Uint16Array.from(normal([POOL], { seed, purpose: 'test', step: 0 }), (value) => toHalf(0.02 * value));
  const one = toHalf(1);
  return Object.entries(shapes).map(([key, shape], n) => ({
    key, shape, dtype: 'F16' as const,
    * pieces() {
      const count = shape.reduce((product, size) => product * size, 1);
      if (/(ln_[qk]|norm\w*)\.weight$/.test(key)) {
        yield new Uint8Array(new Uint16Array(count).fill(one).buffer);
        return;
      }
      for (let left = count, at = (n * 7919) % POOL; left > 0; at = 0) {
        const take = Math.min(left, POOL - at);
        yield new Uint8Array(pool.buffer, 2 * at, 2 * take);
        left -= take;
      }
    },
  }));
}
