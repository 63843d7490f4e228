import { expect, it, vi } from 'vitest';
import * as tf from '../engine/tf';
import { disposeBase, flowing, leaseFlow, loadBase, type Base } from '../pipeline/base';
import type { Part } from '../pipeline/parts';
import { plainSeeing } from '../protocol/objects';
import { Fault } from '../protocol/faults';
import type { Host } from '../protocol/host';
import type { PictureEvent } from '../protocol/pictures';
import { defaultRecipe } from '../protocol/recipe';
import { useBackend } from '../testing/backend';
import { nodeRaster } from '../testing/session/raster';
import type { RunRecord } from '../storage/db';
import type { StoredBase } from '../storage/weightStore';
import { sampleFile } from '../testing/session/tab';
import { tinyStored } from '../testing/session/tinyFiles';
import { newGuidance, plainComposition } from '../protocol/mix';
import { Current } from './current';
import { Mixing } from './mixing';
import { Previewing } from './previewing';
import { beginRun, disposeRun } from './run';
import { Drawing } from './drawing';
import type { Opening } from './opening';
import { Turns } from './turns';

/** A session that holds an object, on a base whose prompts cannot be read. */
function failing(lease: () => Promise<unknown>) {
  const current = new Current();
  current.setObject({ kind: 'object', tokens: tf.zeros([1, 2, 4]), nobody: null, seeing: plainSeeing, revision: 1 });
  const base = { zeroTokens: 0, prompts: { encoded: async () => { throw new Fault('prompt-invalid', 'Too long.'); } }, parts: { text: { lingering: (work: () => unknown) => work() }, object: { lease } } };
  const drawing = new Drawing({} as never, new Turns(), { base: async () => base } as never, current, {} as never);
  return drawing.draw({ prompt: 'a [V]', negative: '', seed: 1, steps: 2, sampler: 'euler', skipLayers: false, guidance: 3, balance: 1, kind: 'instance', withBase: true }, new AbortController().signal);
}

it('gives the object and its encoder back where a prompt cannot be read, or the encoder not loaded', async () => {
  await useBackend('wasm');
  const before = tf.memory().numTensors;
  const release = vi.fn();
  await expect(failing(async () => ({ part: {}, release }))).rejects.toMatchObject({ code: 'prompt-invalid' });
  expect(release).toHaveBeenCalledOnce();
  await expect(failing(async () => { throw new Fault('base-corrupt', 'Broken.'); })).rejects.toMatchObject({ code: 'base-corrupt' });
  // what is in hand itself, twice
  expect(tf.memory().numTensors - before).toBe(2);
});

/** How many hold each of these parts now: the most that held the transformer and another, and it and the text encoders. */
function watched(base: Base): { both: number; text: number } {
  const seen = { both: 0, text: 0 };
  const held = { transformer: 0, autoencoder: 0, text: 0 };
  for (const name of ['transformer', 'autoencoder', 'text'] as const) {
    const part = base.parts[name] as unknown as Part<unknown>;
    const lease = part.lease.bind(part);
    part.lease = async () => {
      held[name]++;
      seen.text = Math.max(seen.text, Math.min(held.transformer, held.text));
      seen.both = Math.max(seen.both, Math.min(held.transformer, Math.max(held.autoencoder, held.text)));
      const { part: given, release } = await lease();
      return { part: given, release: () => { held[name]--; release(); } };
    };
  }
  return seen;
}

/** The tiny base with a second, small decoder. */
async function withPreview(): Promise<StoredBase> {
  const stored = await tinyStored('tiny');
  const real = (path: string) => path.replace(/^vae_preview/, 'vae');
  return { ...stored, has: (path) => stored.has(real(path)), json: (path) => stored.json(real(path)), weights: (folder) => stored.weights(real(folder)) };
}

it.each([['stay', true, 1, tinyStored, 16], ['come and go', false, 0, tinyStored, 4], ['come and go, beside a small decoder', false, 0, withPreview, 16]] as const)('(networks %s) draws twins with transformer and decoder together in memory only where they are so anyway', async (_how, partsStay, both, stored, side) => {
  await useBackend('wasm');
  // every step would be worth a picture on the way, but one that took long is followed by none for a while
  let time = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (time += 1000));
  const base = await loadBase('tiny', await stored('tiny'), { partsStay });
  const pictures: PictureEvent[] = [];
  const host = { emit: (event: string, data: unknown) => { if (event === 'picture') pictures.push(data as PictureEvent); } } as unknown as Host;
  const opening = { base: async () => base, all: async () => ({ stored: { files: {} } }), platform: { raster: nodeRaster }, baseId: 'tiny' } as unknown as Opening;
  const current = new Current();
  current.set({ name: 'x', recipe: defaultRecipe(), conceptId: null, runId: null, captions: [], pictures: [], measures: null, live: () => true, step: () => null, borrow: () => ({ recipe: defaultRecipe(), adapters: {}, rows: {}, result: { adapter: null, rows: null }, lambda: 1, learned: true }) as never, dispose() {} });
  const seen = watched(base);
  try {
    await new Drawing(host, new Turns(), opening, current, { probe: async () => {} } as never).draw({ prompt: 'a [V] dog', negative: '', seed: 1, steps: 4, sampler: 'euler', skipLayers: false, guidance: 3, balance: 1, kind: 'instance', withBase: true }, new AbortController().signal);
  } finally {
    clock.mockRestore();
  }
  expect(seen.both).toBe(both);
  const of = (kind: string) => pictures.filter(({ slot }) => slot.kind === kind).map(({ state, bitmap }) => `${state} ${bitmap.width}`);
  for (const kind of ['concept', 'base']) expect(of(kind)).toEqual([`partial ${side}`, 'full 16']);
  disposeBase(base);
});

it.each([
  ['what it has learned', {}, ['concept quick', 'base quick', 'concept full', 'base full']],
  ['one picture alone', { withBase: false }, ['concept quick', 'concept full']],
  ['what it has not learned: other guidance', { guidance: 4 }, ['concept full', 'base full']],
  ['what it has not learned: a negative prompt', { negative: 'mud' }, ['concept full', 'base full']],
])('shows first looks by the student, if the base has one, before anything is drawn in full (%s)', async (_what, asked, expected) => {
  await useBackend('wasm');
  const base = await loadBase('tiny', await tinyStored('tiny', { faces: true }));
  const shown: string[] = [];
  const host = { emit: (event: string, data: unknown) => { if (event === 'picture') shown.push(`${(data as PictureEvent).slot.kind} ${(data as PictureEvent).state}`); } } as unknown as Host;
  const opening = { base: async () => base, all: async () => ({ stored: { files: {} } }), platform: { raster: nodeRaster }, baseId: 'tiny' } as unknown as Opening;
  const current = new Current();
  current.set({ name: 'x', recipe: defaultRecipe(), conceptId: null, runId: null, captions: [], pictures: [], measures: null, live: () => true, step: () => null, borrow: () => ({ recipe: defaultRecipe(), adapters: {}, rows: {}, result: { adapter: null, rows: null }, lambda: 1, learned: true }) as never, dispose() {} });
  const drawing = new Drawing(host, new Turns(), opening, current, { probe: async () => {} } as never);
  const draw = () => drawing.draw({ prompt: 'a [V] dog', negative: '', seed: 1, steps: 4, sampler: 'euler', skipLayers: false, guidance: 3, balance: 1, kind: 'instance', withBase: true, ...asked }, new AbortController().signal);
  await draw();
  expect(shown).toEqual(expected);
  // what is read once is kept, and nothing else
  const before = tf.memory().numTensors;
  await draw();
  expect(tf.memory().numTensors).toBe(before);
  base.prompts.dispose();
  disposeBase(base);
});

it('draws in full all the same where the student cannot be read', async () => {
  await useBackend('wasm');
  const stored = await tinyStored('tiny', { faces: true });
  const base = await loadBase('tiny', { ...stored, weights: async (folder) => { if (folder === 'student') throw new Fault('base-corrupt', 'Broken.'); return stored.weights(folder); } });
  const shown: string[] = [];
  const host = { emit: (event: string, data: unknown) => { if (event === 'picture') shown.push((data as PictureEvent).state); } } as unknown as Host;
  const opening = { base: async () => base, all: async () => ({ stored: { files: {} } }), platform: { raster: nodeRaster }, baseId: 'tiny' } as unknown as Opening;
  await new Drawing(host, new Turns(), opening, new Current(), { probe: async () => {} } as never).draw({ prompt: 'a dog', negative: '', seed: 1, steps: 4, sampler: 'euler', skipLayers: false, guidance: 3, balance: 1, kind: 'instance', withBase: true }, new AbortController().signal);
  expect(shown.filter((state) => state !== 'partial')).toEqual(['full']);
  base.prompts.dispose();
  disposeBase(base);
});

it('looks at all other places before any is drawn in full', async () => {
  await useBackend('wasm');
  const base = await loadBase('tiny', await tinyStored('tiny', { faces: true }));
  const shown: string[] = [];
  const host = { emit: (event: string, data: unknown) => { if (event === 'picture') shown.push(`${(data as PictureEvent).prompt} ${(data as PictureEvent).state}`); } } as unknown as Host;
  const opening = { base: async () => base, platform: { raster: nodeRaster }, baseId: 'tiny' } as unknown as Opening;
  const current = new Current();
  const width = await base.parts.identity!.use(({ tokens }) => tokens.width);
  current.setObject({ kind: 'identity', tokens: tf.randomNormal([1, 3, width]), nobody: tf.zeros([1, 3, width]), seeing: plainSeeing, revision: 1 });
  const places = (change = {}) => new Drawing(host, new Turns(), opening, current, {} as never).places({ prompts: ['a [V] at sea', 'a [V] on grass'], negative: '', seed: 1, steps: 4, sampler: 'euler', skipLayers: false, guidance: 3, balance: 1, kind: 'person', ...change }, new AbortController().signal);
  await places();
  expect(shown).toEqual(['a [V] at sea quick', 'a [V] on grass quick', 'a [V] at sea full', 'a [V] on grass full']);
  await places({ guidance: 2 });
  expect(shown.slice(4)).toEqual(['a [V] at sea full', 'a [V] on grass full']);
  current.setObject(null);
  base.prompts.dispose();
  disposeBase(base);
});

it('reads the words of a mix, by guidance and merged, before the transformer comes', async () => {
  await useBackend('wasm');
  const base = await loadBase('tiny', await tinyStored('tiny'), { partsStay: false });
  const full: string[] = [];
  const host = { emit: (event: string, data: unknown) => { if (event === 'picture' && (data as PictureEvent).state === 'full') full.push((data as PictureEvent).slot.kind); } } as unknown as Host;
  const opening = { base: async () => base, all: async () => ({ stored: { files: {} } }), platform: { raster: nodeRaster }, baseId: 'tiny' } as unknown as Opening;
  const seen = watched(base);
  const mixing = new Mixing(host, new Turns(), opening, {} as never);
  const before = tf.memory().numTensors;
  for (const merged of [false, true]) {
    // read anew, not remembered
    base.prompts.dispose();
    const mix = { version: 1 as const, prompt: 'a dog on a beach', names: {}, seed: 1, steps: 4, guidance: 3, guidances: [newGuidance('g', { kind: 'text', words: 'a dog' })], composition: plainComposition, start: null };
    await mixing.draw({ mix: { ...mix, steps: 8 }, merged }, new AbortController().signal);
  }
  base.prompts.dispose();
  expect(full).toEqual(['mix', 'mix']);
  expect(seen.both).toBe(0);
  expect(tf.memory().numTensors).toBe(before);
  disposeBase(base);
});

it('shows a first look at a mix of one prompt, and of no other', async () => {
  await useBackend('wasm');
  const base = await loadBase('tiny', await tinyStored('tiny', { faces: true }));
  let shown: string[] = [];
  const host = { emit: (event: string, data: unknown) => { if (event === 'picture') shown.push((data as PictureEvent).state); } } as unknown as Host;
  const mixing = new Mixing(host, new Turns(), { base: async () => base, all: async () => ({ stored: { files: {} } }), platform: { raster: nodeRaster }, baseId: 'tiny' } as unknown as Opening, {} as never);
  const text = newGuidance('g', { kind: 'text', words: null });
  const apart = { ...newGuidance('h', { kind: 'text', words: 'a cat' }), against: 'a dog' };
  const drawn = async (guidances: typeof text[], change = {}) => {
    shown = [];
    await mixing.draw({ mix: { version: 1, prompt: 'a dog on a beach', names: {}, seed: 1, steps: 8, guidance: 3, guidances, composition: plainComposition, start: null, ...change }, merged: false }, new AbortController().signal);
    return shown.filter((state) => state !== 'partial');
  };
  const [both, alone] = [['quick', 'full'], ['full']];
  expect(await drawn([text])).toEqual(both);
  expect(await drawn([text, apart])).toEqual(both);
  expect(await drawn([text, { ...newGuidance('h', { kind: 'text', words: 'a cat' }), muted: true }])).toEqual(both);
  // what the student has not learned: two texts from nothing, half of one, other guidance, another composition
  expect(await drawn([text, newGuidance('h', { kind: 'text', words: 'a cat' })])).toEqual(alone);
  expect(await drawn([{ ...text, weight: 0.5 }])).toEqual(alone);
  expect(await drawn([{ ...text, mask: { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0 } }])).toEqual(alone);
  expect(await drawn([text], { guidance: 2 })).toEqual(alone);
  expect(await drawn([text, apart], { composition: { ...plainComposition, orthogonal: true } })).toEqual(alone);
  base.prompts.dispose();
  disposeBase(base);
});

it('leaves the transformer’s blocks the room that drawing or learning leaves them', async () => {
  await useBackend('wasm');
  const base = await loadBase('tiny', await tinyStored('tiny'), { partsStay: false, beside: (task, side) => (task === 'learn' ? 10 : 20) * side });
  const limits: number[] = [];
  const { transformer } = base.parts;
  const lease = transformer.lease.bind(transformer);
  transformer.lease = async () => {
    const given = await lease();
    given.part.residency = { enter() {}, leave() {}, limit: (bytes) => limits.push(bytes) };
    return given;
  };
  const { width } = base.pictureSize();
  await flowing(base, async () => undefined);
  (await leaseFlow(base, 'learn')).release();
  expect(limits).toEqual([20 * width, 10 * width]);
  disposeBase(base);
});

it('begins a run with the words of its previews read before the transformer comes, which then has the room that learning leaves', async () => {
  await useBackend('wasm');
  const rooms: string[] = [];
  const base = await loadBase('tiny', await tinyStored('tiny'), { partsStay: false, beside: (task) => { rooms.push(task); return 1e9; } });
  const { transformer } = base.parts;
  const lease = transformer.lease.bind(transformer);
  transformer.lease = async () => { const given = await lease(); given.part.residency = { enter() {}, leave() {}, limit() {} }; return given; };
  const seen = watched(base);
  const captions = { complete: 'a [V] dog on a beach', base: 'a dog on a beach', target: '[V] dog' };
  const { file, name } = await sampleFile();
  const record = { runId: 'r', name: 'r', recipe: { ...defaultRecipe(), classWord: 'dog', shiftCells: 0 }, prompt: 'a [V] dog', seed: 1, pictures: [{ pictureId: 'p', name, crop: { x: 0, y: 0, size: 1 }, captions, file }] } as unknown as RunRecord;
  const run = await beginRun({ base, raster: nodeRaster, record, hold: { runId: 'r', lost: new AbortController().signal, release() {} }, engine: '', notIdentical: '', between: async () => {}, onEncoded() {}, keep: (_n, _pixels, _variants, encode) => encode() });
  expect([rooms, seen.both]).toEqual([['learn'], 0]);
  await new Previewing({ emit() {} } as unknown as Host, nodeRaster, base, { ...run, runId: 'r', prompt: record.prompt, seed: 1, keep: async () => {} }).begin(async () => {});
  // the words are there: no text encoder came while the run held the transformer
  expect(seen.text).toBe(0);
  disposeRun(run);
  disposeBase(base);
});
