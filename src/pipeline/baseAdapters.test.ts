/** Picture adapters of a base: parts where its folder has them, null where not, and no hindrance where one cannot be read. */
import { beforeAll, expect, it } from 'vitest';
import type { WeightSource } from '../models/weightSource';
import { expectNoLeak, useBackend } from '../testing/backend';
import { adapterSource } from '../testing/pictureAdapter';
import { tinyStored } from '../testing/session/tinyFiles';
import { disposeBase, loadBase, loadTheRest, type BaseOptions } from './base';

beforeAll(async () => void (await useBackend('wasm')));

async function withAdapters(adapters: Record<string, WeightSource>, lacks: string[] = [], transformer = '', options: BaseOptions = {}) {
  const files = await tinyStored('tiny');
  return loadBase('tiny', {
    ...files,
    files: { 'transformer/diffusion_pytorch_model.safetensors': { sha256: transformer } },
    has: async (folder) => !lacks.includes(folder) && (folder in adapters || (!folder.endsWith('_adapter') && (await files.has(folder)))),
    weights: async (folder) => adapters[folder] ?? ((await files.weights(folder)) as WeightSource),
  }, options);
}

it('are parts where the folder has them', async () => {
  const base = await withAdapters({ object_adapter: adapterSource(), identity_adapter: adapterSource({ kind: 'identity' }) });
  expect(await base.parts.object!.use(({ kind }) => kind)).toBe('object');
  expect(await base.parts.identity!.use(({ kind }) => kind)).toBe('identity');
  disposeBase(base);
});

it('are null where it has none, or no tower to look with', async () => {
  const [none, blind] = [await withAdapters({}), await withAdapters({ object_adapter: adapterSource() }, ['image_encoder'])];
  for (const { parts } of [none, blind]) expect([parts.object, parts.identity]).toEqual([null, null]);
  [none, blind].forEach(disposeBase);
});

it('do not keep a base from opening when they cannot be read, and say why when they are asked for', async () => {
  const base = await withAdapters({ object_adapter: adapterSource({}, { 'resampler.norm_out.weight': null }), identity_adapter: adapterSource() });
  await expect(base.parts.object!.lease()).rejects.toMatchObject({ code: 'tensor-missing', subject: 'resampler.norm_out.weight' });
  await expect(base.parts.identity!.lease()).rejects.toMatchObject({ code: 'base-mismatch', subject: 'lamina.adapter' });
  disposeBase(base);
});

it('are loaded after everything else, each in its turn, and one that cannot be read does not keep the next from it', async () => {
  const asked: string[] = [];
  const adapters: Record<string, WeightSource> = { object_adapter: adapterSource({}, { 'resampler.norm_out.weight': null }), identity_adapter: adapterSource({ kind: 'identity' }) };
  const base = await withAdapters(new Proxy(adapters, { get: (all, folder: string) => { asked.push(folder); return all[folder]; } }));
  expect(asked).toContain('transformer');
  expect(asked.filter((folder) => folder in adapters)).toEqual([]);
  let turns = 0;
  await loadTheRest(base, async () => { turns++; });
  expect({ asked: asked.filter((folder) => folder in adapters), turns }).toEqual({ asked: Object.keys(adapters), turns: 2 });
  await base.parts.identity!.use(() => undefined);
  expect(asked.filter((folder) => folder === 'identity_adapter')).toHaveLength(1);
  disposeBase(base);

  // of a base whose parts come and go, nothing is loaded that nobody asked for
  const large = await withAdapters({ identity_adapter: adapterSource({ kind: 'identity' }) }, [], '', { partsStay: false });
  await loadTheRest(large, async () => { turns++; });
  expect(turns).toBe(2);
  disposeBase(large);
});

it('are refused where they were trained on another transformer, and taken where either does not say', async () => {
  const made = (sha256: string) => adapterSource({}, {}, { 'lamina.base_sha256': sha256 });
  for (const [adapter, transformer] of [['a', 'a'], ['', 'a'], ['a', '']] as const) {
    const base = await withAdapters({ object_adapter: made(adapter) }, [], transformer);
    expect(await base.parts.object!.use(({ baseSha256 }) => baseSha256)).toBe(adapter);
    disposeBase(base);
  }
  const base = await withAdapters({ object_adapter: made('a') }, [], 'b');
  await expectNoLeak(() => expect(base.parts.object!.lease()).rejects.toMatchObject({ code: 'base-mismatch' }));
  disposeBase(base);
});

it('a student is refused likewise, and its pairs read where it fits', async () => {
  const lora = await tinyStored('tiny', { faces: true }).then((files) => files.weights('student') as Promise<WeightSource>);
  const made = (sha256: string): WeightSource => ({ ...lora, metadata: async () => ({ 'lamina.base_sha256': sha256 }) });
  const [fits, other] = [await withAdapters({ student: made('a') }, [], 'a'), await withAdapters({ student: made('a') }, [], 'b')];
  expect(await fits.parts.student!.use(Object.keys)).toEqual(['transformer_blocks.1.attn.to_q']);
  await expectNoLeak(() => expect(other.parts.student!.lease()).rejects.toMatchObject({ code: 'base-mismatch' }));
  [fits, other].forEach(disposeBase);
});
