/** The networks beside the transformer on WGSL; the transformer's and the trainer's rows take minutes on a software adapter: `npm run parity -- --backend webgpu`. */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { useWebgpu } from '../backend';
import { adapterRows } from './adapter';
import type { Row } from './rows';
import { clipRows, t5Rows } from './text';
import { vaeRows, type VaeConfig } from './vae';
import { weighing } from './weighing';

const dir = 'fixtures/sd3';
const configs = JSON.parse(readFileSync(`${dir}/config.json`, 'utf8')) as Record<string, unknown> & { vae: VaeConfig };
const failed = (rows: readonly Row[]) => rows.filter(({ pass }) => !pass);

beforeAll(async () => { await useWebgpu(); });

it('every row of the autoencoder passes', async () => {
  const rows = await vaeRows(dir, configs.vae);
  expect(rows.length).toBeGreaterThan(8);
  expect(failed(rows)).toEqual([]);
}, 240_000);

it.each(['f32', 'int8'] as const)('every row of the text encoders passes in %s', async (weights) => {
  const by = weighing(weights);
  const rows = [...(await clipRows(dir, 'clip_l', configs['clip_l'], by)), ...(await clipRows(dir, 'clip_g', configs['clip_g'], by)), ...(await t5Rows(dir, configs['t5'], by))];
  expect(rows.length).toBeGreaterThan(20);
  expect(failed(rows)).toEqual([]);
}, 240_000);

it('every row of a picture adapter passes', async () => {
  const rows = await adapterRows('fixtures/adapter/wide', 'public/base');
  expect(rows.length).toBeGreaterThan(10);
  expect(failed(rows)).toEqual([]);
}, 240_000);
