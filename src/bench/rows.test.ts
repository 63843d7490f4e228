/** The rows themselves, on wasm: what they promise to compare is really different, runs, and leaves nothing behind. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { stockKernel, useStockKernels } from '../engine/stock';
import * as tf from '../engine/tf';
import type { Compute } from '../engine/backend';
import { defaultRecipe } from '../protocol/recipe';
import { expectNoLeak, useBackend } from '../testing/backend';
import { defaultTiming, measureRow, type Timing } from './measure';
import type { Row } from './row';
import { allRows } from './rows';
import { kernelRows } from './rows/kernels';
import { stockForm } from './rivals/stockTfjs';
import { ours, stock, type Kind } from './rows/matmul';
import { embeddedStep, scalingRows, stepForm } from './rows/step';
import { chosen } from './run';

let compute: Compute;
beforeAll(async () => { compute = await useBackend('wasm'); });

const quick: Timing = { ...defaultTiming, sampleMs: 0, budgetMs: 0, minRounds: 1, maxRounds: 1, limitMs: null, flopsPerSecond: 1e9 };
const named = (rows: ReturnType<typeof allRows>) => rows.filter((row): row is Row => !('measure' in row));

describe('the rows', () => {
  it.each(['wasm', 'webgpu'] as const)('of %s cover products of both rivals, steps, a block and scaling, each once', (backend) => {
    const keys = named(allRows({ ...compute, backend }, quick)).map(({ name, shape, rival }) => `${name} ${shape} ${rival?.name ?? ''}`);
    expect(new Set(keys).size).toBe(keys.length);
    for (const wanted of ['matmul nn [2048,2048]', 'matmul tn', 'jax-js', ...(backend === 'webgpu' ? ['packed int8 nt', 'LambdaStar gradient', 'FlashAttention forward'] : []), 'NormModulate gradient', 'GeluTanh forward', 'step of the embedded base', 'block of SD3.5-Medium', 'step against rank']) {
      expect(keys.some((key) => key.includes(wanted)), wanted).toBe(true);
    }
  });

  it('are chosen by a pattern over name, shape and rival', () => {
    const rows = named(allRows(compute, quick));
    expect(chosen(rows, 'MATMUL nn .512.*tfjs').map(({ name, rival }) => [name, rival!.name])).toEqual([['matmul nn', 'tfjs']]);
    expect(chosen(rows, '')).toHaveLength(rows.length);
  });
});

describe('stock kernels', () => {
  it('are tfjs’ own, and ours come back', () => {
    const mine = tf.getKernel('BatchMatMul', 'wasm');
    expect(stockKernel('BatchMatMul', 'wasm')).not.toBe(mine);
    const back = useStockKernels('wasm');
    expect(tf.getKernel('BatchMatMul', 'wasm')).toBe(stockKernel('BatchMatMul', 'wasm'));
    back();
    expect(tf.getKernel('BatchMatMul', 'wasm')).toBe(mine);
    expect(() => stockKernel('NoSuchKernel', 'wasm')).toThrow('NoSuchKernel');
  });

  it('hide kernels that tfjs does not know', () => {
    tf.registerKernel({ kernelName: 'OursAlone', backendName: 'wasm', kernelFunc: () => [] });
    const back = useStockKernels('wasm');
    expect(tf.getKernel('OursAlone', 'wasm')).toBeUndefined();
    back();
    expect(tf.getKernel('OursAlone', 'wasm')).toBeDefined();
    tf.unregisterKernel('OursAlone', 'wasm');
  });
});

it.each<Kind>(['nn', 'nt', 'tn'])('the products of %s run in both forms and leave nothing', async (kind) => {
  const sizes = { m: 24, k: 40, n: 32 };
  await measureRow({ name: kind, shape: '', flops: 1, bytes: 1, ours: () => ours(kind, sizes), rival: { name: 'tfjs', open: () => stock(kind, sizes) } }, quick);
  await expectNoLeak(async () => {
    const row = await measureRow({ name: kind, shape: '', flops: 1, bytes: 1, ours: () => ours(kind, sizes), rival: { name: 'tfjs', open: () => stock(kind, sizes) } }, quick);
    expect(row.ratio).toBeGreaterThan(0);
  });
});

it('a kernel’s rows run forward and back and leave nothing', () => expectNoLeak(async () => {
  for (const row of kernelRows().slice(0, 2)) expect((await measureRow(row, quick)).ours_ms).toBeGreaterThan(0);
}));

it('a step row trains, with ours and with stock kernels, and leaves nothing', () => expectNoLeak(async () => {
  const model = { hidden: 16, heads: 2, depth: 2, channels: 4, patch: 2, contextWidth: 12, pooledWidth: 10, positionSide: 8 };
  const size = { model, side: 4, textTokens: 6, batch: 1, rank: 2, sites: 'attention' as const };
  const mine = tf.getKernel('BatchMatMul', 'wasm');
  let calls = 0;
  tf.unregisterKernel('BatchMatMul', 'wasm');
  const counted = { ...mine, kernelFunc: (args: Parameters<typeof mine.kernelFunc>[0]) => { calls++; return mine.kernelFunc(args); } };
  tf.registerKernel(counted);
  // a replacement like any other: stock is what tfjs had first
  const [form, inStock] = [await stepForm(size), await stockForm(() => stepForm(size, 'tensors'))];
  calls = 0;
  await inStock.run(undefined);
  expect(calls).toBe(0);
  expect(await form.run(undefined)).toMatchObject({ done: false, value: { stage: 'student', step: 2 } });
  expect(calls).toBeGreaterThan(10);
  // the anchor holds one of two captions, by chance
  for (let more = 0; more < 8; more++) await form.run(undefined);
  [form, inStock].forEach((one) => one.dispose());
  tf.unregisterKernel('BatchMatMul', 'wasm');
  tf.registerKernel(mine);
}));

it('scaling rows change one size at a time', () => {
  const shapes = scalingRows({ software: true }).filter(({ name }) => name.endsWith('rank')).map(({ shape }) => shape.replace(/rank \d+/, ''));
  expect(new Set(shapes).size).toBe(1);
});

it('the embedded step has the sizes of the base as shipped', () => {
  const read = (path: string) => JSON.parse(readFileSync(`public/base/${path}`, 'utf8')) as Record<string, number>;
  const config = read('transformer/config.json');
  expect(embeddedStep).toEqual({
    model: {
      hidden: config['caption_projection_dim'], heads: config['num_attention_heads'], depth: config['num_layers'], channels: config['in_channels'], patch: config['patch_size'],
      contextWidth: config['joint_attention_dim'], pooledWidth: config['pooled_projection_dim'], positionSide: config['pos_embed_max_size'],
    },
    side: config['sample_size'], textTokens: read('text_encoder/config.json')['max_position_embeddings'], batch: defaultRecipe().batchSize, rank: defaultRecipe().rank, sites: defaultRecipe().sites,
  });
});

it('a browser can load the rows: no spec brings the test runner along', () => {
  const specs = [...readFileSync('src/bench/rows/kernels.ts', 'utf8').matchAll(/testing\/kernels\/(\w+)'/g)].map(([, name]) => name);
  expect(specs.length).toBeGreaterThan(2);
  expect(specs.filter((name) => readFileSync(`src/testing/kernels/${name}.ts`, 'utf8').includes("'./suite'")), "import from './spec' there").toEqual([]);
});
