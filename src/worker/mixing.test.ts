/** The Mix page over the real session and draft worker, a tiny base: what costs a model call and what does not, and what is drawn. */
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { giveDog, openTab, sampleFile, type Tab, type TabOptions } from '../testing/session/tab';
import { pixelsOf } from '../testing/session/raster';
import { mixPictureKey } from '../protocol/mix';
import { nameInPrompt } from '../protocol/mixPlan';

// ten seconds each on a machine of one's own; other programs may take most of it
vi.setConfig({ testTimeout: 240_000 });

let tabs: Tab[] = [];
const open = async (options?: TabOptions) => {
  const tab = await openTab(options);
  tabs.push(tab);
  return tab;
};
beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});
afterEach(async () => {
  for (const tab of tabs) await tab.close();
  tabs = [];
});

/** Learns a few steps of something and keeps it. */
async function learned(tab: Tab, name: string, classWord: string, kind: 'instance' | 'style' = 'instance'): Promise<string> {
  const { now, until } = tab;
  await giveDog(tab, { stage1Steps: 6, stage2Steps: 3 });
  if (kind === 'style') now().setKind('style');
  else now().setClassWord(classWord);
  await now().learn();
  await until('finished', ({ run, drawing, twins }) => run?.phase === 'finished' && !drawing && twins.concept?.state === 'full');
  now().setConceptName(name);
  await now().keep();
  const { conceptId } = now().kept!;
  now().newConcept();
  return conceptId;
}
/** A dog and a cake on the Shelf, on the Mix page. */
async function withTwo(): Promise<Tab & { dog: string; cake: string }> {
  const tab = await open();
  const dog = await learned(tab, 'Guide dog', 'dog');
  const cake = await learned(tab, 'Cake', 'cake');
  tab.now().setTab('mix');
  tab.now().enterMix();
  tab.now().setMix({ prompt: 'a [guide-dog] dog and a [cake] cake in the snow', seed: 7, steps: 4 });
  return Object.assign(tab, { dog, cake });
}
const probes = ({ asked }: Tab) => asked.filter(({ name }) => name === 'probeMix').length;
const drafted = (tab: Tab) => tab.until('a draft of the mix', ({ mix, mixPicture }) => mixPicture?.state === 'draft' && mixPicture.mix === mixPictureKey(mix));

it('begins with what the Shelf has, and takes part in whatever concept the prompt calls', async () => {
  const tab = await withTwo();
  const { mix } = tab.now();
  expect(mix.names).toEqual({ 'guide-dog': tab.dog, cake: tab.cake });
  expect(mix.guidances.map(({ source }) => (source.kind === 'concept' ? source.conceptId : 'text'))).toEqual(['text', expect.any(String), expect.any(String)]);
  expect(nameInPrompt('Guide dog')).toBe('guide-dog');
  await drafted(tab);
  expect(tab.now().mixOverlap!.overlap).toHaveLength(3);
  expect(tab.now().mixOverlap!.overlap[0]![0]).toBeCloseTo(1, 4);
});

it('shows a moved weight, curve, mask and mute as drafts without a model call, and draws the whole when it rests', async () => {
  const tab = await withTwo();
  const { now, until } = tab;
  await drafted(tab);
  const before = probes(tab);
  const [text, dog] = now().mix.guidances;
  const seen = new Set([pixelsOf(now().mixPicture!.bitmap)]);
  const moves = [
    () => now().setGuidance(dog!.id, { weight: 8 }),
    () => now().setGuidance(dog!.id, { mask: { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0 } }),
    () => now().setGuidance(text!.id, { schedule: { kind: 'ramp', first: 0.2, last: 0.2 } }),
    () => now().setGuidance(text!.id, { muted: true }),
    () => now().setComposition({ together: true, rescale: 0.7 }),
  ];
  for (const move of moves) {
    move();
    await drafted(tab);
    seen.add(pixelsOf(now().mixPicture!.bitmap));
  }
  expect(seen.size).toBe(moves.length + 1);
  expect(probes(tab)).toBe(before);
  await until('the whole picture', ({ mixPicture }) => mixPicture?.state === 'full');
  await until('other seeds', ({ mixSeedPictures }) => mixSeedPictures.length >= 2);
  expect(now().mixSeedPictures.map(({ seed }) => seed).slice(0, 2)).toEqual([7, 8]);
  // seed 7 of the row is the picture itself
  expect(pixelsOf(now().mixSeedPictures[0]!.bitmap)).toBe(pixelsOf(now().mixPicture!.bitmap));
});

it('draws other words by a new probe, and never shows what was asked for before', async () => {
  const tab = await withTwo();
  const { now, until, pictures } = tab;
  await drafted(tab);
  const before = probes(tab);
  now().setMix({ prompt: 'a [guide-dog] dog on a beach' });
  await until('a picture of the new words', ({ mixPicture }) => mixPicture?.prompt === 'a [guide-dog] dog on a beach');
  expect(probes(tab)).toBe(before + 1);
  const late = pictures.filter(({ slot, prompt }) => slot.kind === 'mix' && prompt !== now().mix.prompt);
  expect(late.every(({ bitmap }) => bitmap !== now().mixPicture!.bitmap)).toBe(true);
});

it('without concepts that act it draws the untouched base, and merged LoRAs are another picture of the same seed', async () => {
  const tab = await withTwo();
  const { now, until, pictures } = tab;
  for (const { id, source } of now().mix.guidances) if (source.kind === 'concept') now().setGuidance(id, { muted: true });
  await now().drawMix();
  await now().drawMix(true);
  const whole = pixelsOf(now().mixPicture!.bitmap);
  expect(pixelsOf(now().mixMerged!.bitmap)).toBe(whole);
  expect(now().mixPicture).toMatchObject({ steps: now().mix.steps, sampler: 'dpmpp-2m' });
  now().setTab('learn');
  now().setParams({ prompt: 'a dog and a cake in the snow', seed: 7, steps: 4, guidance: now().mix.guidance });
  await now().draw();
  const base = await until('the base', ({ twins, drawing }) => !drawing && twins.base?.state === 'full' && twins.base.prompt === 'a dog and a cake in the snow');
  expect(pixelsOf(base.twins.base!.bitmap)).toBe(whole);
  for (const { id, source } of now().mix.guidances) if (source.kind === 'concept') now().setGuidance(id, { muted: false, weight: 3 });
  await now().drawMix();
  await now().drawMix(true);
  expect(now().mixMerged).toMatchObject({ state: 'full', seed: 7 });
  expect(new Set([whole, pixelsOf(now().mixPicture!.bitmap), pixelsOf(now().mixMerged!.bitmap)]).size).toBe(3);
  expect(pictures.length).toBeGreaterThan(4);
});

it('starts from a picture instead of from noise, nearer to it the lower σ, and forgets it', async () => {
  const tab = await withTwo();
  const { now, asked } = tab;
  const drawn = async () => { await now().drawMix(); return Buffer.from(pixelsOf(now().mixPicture!.bitmap), 'base64'); };
  const noise = await drawn();
  await now().setMixStart(await sampleFile());
  const { start } = now().mix;
  expect(start).toMatchObject({ crop: { x: 0, y: 0, size: 128 }, sigma: 0.7 });
  const at = async (sigma: number) => { now().setMix({ start: { ...start!, sigma } }); return drawn(); };
  const [near, far] = [await at(0.05), await at(1)];
  // σ 1 gives all of the picture up
  expect(far.equals(noise)).toBe(true);
  expect(near.equals(noise)).toBe(false);
  await now().setMixStart(null);
  expect(now().mix.start).toBeNull();
  expect(asked).toContainEqual({ name: 'forgetPicture', params: { pictureId: start!.pictureId } });
  expect((await drawn()).equals(noise)).toBe(true);
});

it('is restored whole from its own picture and from its link', async () => {
  const tab = await withTwo();
  const { now } = tab;
  now().setGuidance(now().mix.guidances[1]!.id, { weight: 2.5, mask: { kind: 'painted', side: 2, cells: 'f00f' } });
  await now().drawMix();
  const { mix } = now();
  const { blob } = (await now().mixPictureFile())!;
  now().setMix({ prompt: 'something else' });
  await now().importFiles([{ file: blob, name: 'mix.png' }]);
  expect(now().mix).toEqual(mix);
  expect(now().tab).toBe('mix');

  const { fragmentOf } = await import('../state/studio');
  const link = fragmentOf(now());
  await tab.close();
  tabs = [];
  const second = await open({ fragment: link });
  expect(second.now().mix).toEqual(mix);
  second.now().enterMix();
  await second.until('a draft of the linked mix', ({ mixPicture }) => mixPicture?.state === 'draft' || mixPicture?.state === 'full');
});

it('says which concept is missing, and which name is none', async () => {
  const tab = await withTwo();
  const { now, until } = tab;
  await now().deleteConcept(tab.cake);
  await now().drawMix();
  expect(now().mixFault).toMatchObject({ code: 'prompt-invalid', message: expect.stringContaining('[cake]') });
  now().setMix({ prompt: 'a [unicorn] dog' });
  await until('a fault', ({ mixFault }) => mixFault?.message.includes('[unicorn]') === true);
  now().openMix({ nonsense: true });
  expect(now().mixFault).toMatchObject({ code: 'mix-invalid' });
});

it('frees the concepts and pictures of a mix that is left', async () => {
  const tab = await withTwo();
  const { now, until } = tab;
  await drafted(tab);
  now().stopMix();
  now().leaveMix();
  await until('quiet', ({ mixDrawing }) => !mixDrawing);
  const tensors = await import('../engine/tracing').then(({ memoryNow }) => memoryNow);
  // the request above is answered before this one
  await now().refreshStorage();
  const before = tensors().tensors;
  now().enterMix();
  await until('another draft', ({ mixPicture }) => mixPicture !== null);
  await new Promise((done) => setTimeout(done, 1500));
  now().leaveMix();
  await now().refreshStorage();
  await new Promise((done) => setTimeout(done, 500));
  expect(tensors().tensors).toBe(before);
});
