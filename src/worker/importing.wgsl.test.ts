/** An imported base on WebGPU: f16 read as it is stored computes what the shipped base computes in float32, to the bit. */
import 'fake-indexeddb/auto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { blobBytes } from '../formats/checkpointFile';
import { loadMmdit, disposeMmdit, velocityAsync } from '../models/mmdit';
import { packedGpuBytes } from '../engine/packed/packedMatrix';
import { normal } from '../pipeline/random';
import { openDatabase } from '../storage/db';
import { openModel } from '../storage/modelStore';
import { useWebgpu } from '../testing/backend';
import { embeddedCheckpoints } from '../testing/fakeCheckpoint/embedded';
import { folderFiles } from '../testing/files';
import { importSurveyed, surveyFiles } from './importing';

it('in f16, in place and streamed, equals the shipped base', async () => {
  await useWebgpu();
  const dir = await mkdtemp(join(tmpdir(), 'lamina-import-'));
  const { single } = await embeddedCheckpoints('public/base', dir);
  const db = await openDatabase('import-wgsl');
  const surveyed = await surveyFiles([blobBytes(new Blob([new Uint8Array(await readFile(single))]), 'embedded.safetensors')]);
  const { modelId } = await importSurveyed(db, surveyed, { name: 'embedded', precision: 'f16', clipMerges: () => Promise.reject(new Error('not needed')) });
  const source = await (await openModel(db, modelId)).weights('transformer');
  const before = packedGpuBytes();
  const results: number[][] = [];
  const bytes: number[] = [];
  for (const load of [() => folderFiles('public/base').weights('transformer').then((shipped) => loadMmdit(shipped)), () => loadMmdit(source), () => loadMmdit(source, undefined, { streamBytes: 0 })]) {
    const model = await load();
    const { contextWidth, pooledWidth } = model.config;
    const random = (shape: number[], step: number) => tf.tensor(normal([shape.reduce((a, b) => a * b, 1)], { seed: 3, purpose: 'test', step }), shape);
    const v = await velocityAsync(model, { x: random([1, 8, 8, 16], 0) as tf.Tensor4D, sigma: [0.6], context: random([1, 9, contextWidth], 1) as tf.Tensor3D, pooled: random([1, pooledWidth], 2) as tf.Tensor2D }, null, null, async () => {});
    bytes.push(packedGpuBytes() - before);
    results.push([...(await v.data())]);
    v.dispose();
    disposeMmdit(model);
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
  expect(bytes[1]! / bytes[0]!).toBeLessThan(0.6);
  expect(bytes[2]! / bytes[1]!).toBeLessThan(0.5); // one of six blocks beside the ends, which are float32
  expect(packedGpuBytes()).toBe(before);
  db.close();
  await rm(dir, { recursive: true, force: true });
}, 120_000);
