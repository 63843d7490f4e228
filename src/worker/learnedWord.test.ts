/** A word learned elsewhere, as the page has it: dropped with its LoRA or alone, opened, drawn, slid, mixed and written again. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { IDBFactory } from 'fake-indexeddb';
import { readLearnedRows, writeLearnedRows } from '../formats/learnedRows';
import { pixelsOf } from '../testing/session/raster';
import { giveDog, openTab, type Tab } from '../testing/session/tab';

vi.setConfig({ testTimeout: 120_000 });
let tab: Tab;
beforeEach(() => { globalThis.indexedDB = new IDBFactory(); });
afterEach(() => tab.close());

/** Numbers a token of the tiny base's text encoder. */
const WIDTH = 12;
const wordFile = (scale: number) => ({ name: 'learned_embeds.safetensors', file: new Blob([writeLearnedRows({ clipL: { shape: [2, WIDTH], data: Float32Array.from({ length: 2 * WIDTH }, (_, i) => scale * Math.sin(i + 1)) }, clipG: null, t5: null, token: '<new1>', startedFrom: 'dog' })]) });

it('draws what the word says where the prompt has [V], and the base at balance 0', async () => {
  tab = await openTab();
  const { now, until } = tab;
  const drawnWith = async (scale: number) => {
    await now().importFiles([wordFile(scale)]);
    expect(now().shelfFault).toBeNull();
    const [concept] = now().concepts;
    expect(concept).toMatchObject({ name: 'new1', lora: false, wordTokens: 2, classWord: 'dog' });
    await now().openConcept(concept!.conceptId);
    await until('drawn', ({ drawing, twins }) => !drawing && twins.concept?.state === 'full');
    expect(now().prompt).toBe('a [V] dog in the snow');
    return { concept: pixelsOf(now().twins.concept?.bitmap), base: pixelsOf(now().twins.base?.bitmap) };
  };
  const [one, other] = [await drawnWith(1), await drawnWith(-2)];
  expect(one.base).toBe(other.base);
  expect(new Set([one.base, one.concept, other.concept]).size).toBe(3);
  now().setBalance(0);
  await now().draw();
  expect(pixelsOf(now().twins.concept?.bitmap)).toBe(other.base);
  const made = await now().exportWord(now().opened!.conceptId);
  expect(await readLearnedRows(made!.file, made!.fileName)).toEqual(await readLearnedRows(wordFile(-2).file, 'w.safetensors'));
});

it('comes in with the LoRA that was learned with it', async () => {
  tab = await openTab();
  const { now, until } = tab;
  await giveDog({ now });
  await now().learn();
  await until('learned', ({ run }) => run?.phase === 'finished');
  await now().keep();
  const { file } = (await now().exportConcept(now().kept!.conceptId, { includeCaptions: false, includeRows: false, keys: 'diffusers', author: '', includeThumbnail: false }))!;
  const pixels: string[] = [];
  for (const beside of [[], [wordFile(1)]]) {
    await now().importFiles([{ file, name: 'dog.safetensors' }, ...beside]);
    const [concept] = now().concepts;
    expect(concept).toMatchObject({ lora: true, wordTokens: beside.length > 0 ? 2 : null });
    await now().openConcept(concept!.conceptId);
    await until('drawn', ({ drawing, twins }) => !drawing && twins.concept?.state === 'full');
    pixels.push(String(pixelsOf(now().twins.concept?.bitmap)));
  }
  expect(now().concepts).toHaveLength(3);
  expect(pixels[0]).not.toBe(pixels[1]);
  expect(await now().exportWord(now().concepts.at(-1)!.conceptId)).toBeNull();
  expect(now().shelfFault).toMatchObject({ conceptId: now().concepts.at(-1)!.conceptId, fault: { code: 'concept-missing' } });
});

it('that belongs to another base is refused, and says which', async () => {
  tab = await openTab();
  const { now } = tab;
  const large = writeLearnedRows({ clipL: { shape: [1, 768], data: new Float32Array(768) }, clipG: { shape: [1, 1280], data: new Float32Array(1280) }, t5: null, token: '<new1>', startedFrom: null });
  await now().importFiles([{ name: 'learned_embeds.safetensors', file: new Blob([large]) }]);
  expect(now().concepts).toEqual([]);
  expect(now().shelfFault?.fault).toMatchObject({ code: 'base-mismatch', message: expect.stringMatching(/CLIP-L \(768 numbers a token\) and CLIP-G \(1280 numbers a token\).*reads 12 numbers/) as string });
});
