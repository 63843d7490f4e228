/**
 * npm run stream-check -- [--blocks 2] [--size 512] [--tokens 154] [--backend wasm|webgpu]
 * One step of stage 1 and one of stage 2 on SD3.5 Medium's true shapes (width 1536, 24 heads) with random int8 weights, once with all
 * blocks in place and once streamed with room for one block: losses, λ* and every trained number must be the same to the bit.
 */
import { parseArgs } from 'node:util';
import { readFile } from 'node:fs/promises';
import { pack, type PackedLayer, type PackedValues } from '../../formats/packing';
import { purecc } from '../../methods/purecc';
import { disposeMmdit, loadMmdit, type Mmdit } from '../../models/mmdit';
import type { WeightSource } from '../../models/weightSource';
import type { EncodedPrompts, FlowBase } from '../../pipeline/base';
import { normal } from '../../pipeline/random';
import type { Dataset } from '../../pipeline/training/dataset';
import { createTrainer } from '../../pipeline/training/train';
import { defaultRecipe } from '../../protocol/recipe';
import { frozenPacked } from '../../engine/ops';
import { placePacked } from '../../engine/packed/packedMatrix';
import * as tf from '../../engine/tf';
import { firstBlocks, type Shapes } from '../../bench/plan/shapes';
import { openNodeBackend } from '../nodeBackend';

const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
const random = (length: number, seed: number) => normal([length], { seed, purpose: 'test', step: 0 });

/** Random weights; the blocks' layers packed, each made when it is first asked for and kept, as storage keeps it. */
function randomSource(shapes: Shapes): WeightSource & { fetched: number } {
  const keys = Object.keys(shapes);
  const kept = new Map<string, PackedValues>();
  const values = (key: string) => random(count(shapes[key]!), 1 + keys.indexOf(key)).map((value) => (/norm_(added_)?[qk]\.weight$/.test(key) ? 1 + 0.1 * value : 0.03 * value));
  const source = {
    fetched: 0,
    keys: () => keys, has: (key: string) => key in shapes, shape: (key: string) => shapes[key]!,
    read: async (key: string) => values(key),
    // the position table alone is read by rows; a row's own numbers do not matter
    readRows: async (key: string, from: number, to: number) => random((to - from) * shapes[key]!.at(-1)!, from),
    packed(key: string): PackedLayer | null {
      const shape = shapes[key]!;
      if (shape.length !== 2 || !key.startsWith('transformer_blocks.')) return null;
      return { packing: { precision: 'int8' }, read: async () => {
        source.fetched++;
        if (!kept.has(key)) kept.set(key, pack(values(key), shape[1]!, shape[0]!, { precision: 'int8' }));
        return kept.get(key)!;
      } };
    },
  };
  return source;
}

function dataset(mmdit: Mmdit, side: number, tokens: number): Dataset {
  const { contextWidth, pooledWidth, channels } = mmdit.config;
  const words = (seed: number, marked: boolean): EncodedPrompts => ({ context: tf.tensor3d(random(tokens * contextWidth, seed), [1, tokens, contextWidth]), pooled: tf.tensor2d(random(pooledWidth, seed + 1), [1, pooledWidth]), at: [marked ? 2 : -1] });
  return { latents: tf.tensor4d(random(side * side * channels, 70), [1, side, side, channels]), pictures: 1, unshifted: 1, words: { complete: words(71, true), base: words(73, false), target: words(75, true), class: words(77, false), null: words(79, false), prior: words(81, false) } };
}

interface Checked { metrics: unknown[]; state: unknown; mostBlocks: number; seconds: number }

async function train(mmdit: Mmdit, side: number, tokens: number, steps = { stage1Steps: 1, stage2Steps: 1 }): Promise<Checked> {
  const base: FlowBase = { mmdit, shift: 3, latentShape: () => [side, side, mmdit.config.channels] };
  const data = dataset(mmdit, side, tokens);
  const started = performance.now();
  let mostBlocks = 0;
  const look = async () => { mostBlocks = Math.max(mostBlocks, mmdit.blocks.filter(({ x }) => x.attention.q.packed !== null).length); };
  const trainer = await createTrainer({ base, method: purecc, recipe: { ...defaultRecipe('lamina'), classWord: 'dog', rank: 4, batchSize: 1, flip: false, ...steps }, dataset: data, between: look });
  const metrics: unknown[] = [];
  for await (const step of trainer.steps()) {
    const { losses, perSample } = step as unknown as { losses: unknown; perSample: unknown };
    metrics.push({ losses, perSample });
  }
  const state = await trainer.exportState();
  trainer.dispose();
  tf.dispose([data.latents, ...Object.values(data.words).flatMap(({ context, pooled }) => [context, pooled])]);
  return { metrics, state, mostBlocks, seconds: (performance.now() - started) / 1000 };
}

async function main(): Promise<number> {
  const { values: options } = parseArgs({ options: { blocks: { type: 'string', default: '2' }, size: { type: 'string', default: '512' }, tokens: { type: 'string', default: '154' }, backend: { type: 'string', default: 'wasm' } } });
  const { shapes } = JSON.parse(await readFile('fixtures/sd3/manifests/sd35_medium.diffusers.transformer.json', 'utf8')) as { shapes: Shapes };
  const [side, tokens] = [Number(options.size) / 8, Number(options.tokens)];
  const source = randomSource(firstBlocks(shapes, Number(options.blocks)));
  const { backend, adapter } = await openNodeBackend(options.backend as 'wasm' | 'webgpu');
  const results: Checked[] = [];
  for (const streamBytes of [undefined, 0]) {
    const mmdit = await loadMmdit(source, undefined, { maxPatches: side / 2, ...(streamBytes === undefined ? { blockLayer: async (_in, _out, weights, bias) => frozenPacked(placePacked(await weights.packed!.read()), bias) } : { streamBytes }) });
    source.fetched = 0;
    const result = await train(mmdit, side, tokens);
    results.push(result);
    console.log(`${streamBytes === undefined ? 'resident' : 'streamed'} on ${backend}${adapter ? ` (${adapter})` : ''}: ${mmdit.config.depth} blocks of width ${mmdit.config.hidden}, ${(side / 2) ** 2} + ${tokens} tokens, at most ${result.mostBlocks} blocks in place, ${source.fetched} layers fetched, ${result.seconds.toFixed(0)} s`);
    disposeMmdit(mmdit);
  }
  const same = JSON.stringify(plain(results[0]!)) === JSON.stringify(plain(results[1]!));
  console.log(same ? 'losses, λ* and all trained numbers are the same to the bit' : 'NOT the same');
  console.log(JSON.stringify(results[0]!.metrics));
  return same ? 0 : 1;
}

/** Everything of it but where and how long, typed arrays as their bytes. */
const plain = ({ metrics, state }: Checked): unknown => JSON.parse(JSON.stringify({ metrics, state }, (_key, value: unknown) => (ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') : value)));

main().then((status) => process.exit(status), (error: unknown) => {
  console.error(error);
  process.exit(1);
});
