/** What the Models page makes of the store: which card is which, what stands in the table, and for which model there is a plan. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { planPart, recogniseParts } from '../../models/checkpoint';
import { KEPT_PRECISIONS } from '../../protocol/models';
import { sd35Plan } from '../../protocol/sd35Plan';
import { FOUND } from '../../state/models';
import * as made from '../../testing/studio/modelFigures';
import { storedBytes } from '../../worker/importing';
import { isPlanned } from '../../protocol/fit';
import { foundRows, fromWords, listed, modelRows, secondsLeft, shownOf } from './shown';

it('shows an unfinished import and its files as one card', () => {
  const here = [made.embedded, made.unfinished];
  expect(listed(here, null)).toEqual(here);
  expect(listed(here, made.survey)).toEqual([made.embedded]);
  expect(listed([made.embedded, made.imported], made.survey)).toHaveLength(2);
  // whichever of them was chosen
  expect(shownOf(here, made.survey, made.unfinished.modelId, 'embedded')).toBe(FOUND);
  expect(shownOf(here, null, made.unfinished.modelId, 'embedded')).toBe(made.unfinished);
});

it('shows the model in use until another is chosen, and when the chosen one is gone', () => {
  const here = [made.embedded, made.imported];
  expect(shownOf(here, null, null, made.imported.modelId)).toBe(made.imported);
  expect(shownOf(here, null, 'gone', 'embedded')).toBe(made.embedded);
  expect(shownOf(here, null, FOUND, 'embedded')).toBe(made.embedded);
  expect(shownOf([], null, null, null)).toBeNull();
});

const int8 = { precision: 'int8', own: {} } as const;

it('says of each part where its import stands', () => {
  const states = (of: typeof made.progress | null) => foundRows(made.survey, int8, of, true).map(({ state }) => state);
  expect(states(null).slice(0, 4)).toEqual(['waiting', 'waiting', 'waiting', 'waiting']);
  expect(states(made.progress)[0]).toBe('tensor 613 of 968 · 212 MB/s · 10 s left');
  expect(states({ ...made.progress, folder: 'text_encoder', done: 2, total: 9, bytesPerSecond: 0 }).slice(0, 4)).toEqual(['✓ stored', '✓ stored', 'tensor 3 of 9', 'waiting']);
  expect(states({ ...made.progress, folder: 'vae', done: 9, total: 9 })[1]).toBe('✓ stored');
  expect(secondsLeft({ ...made.progress, readBytes: 1e6 })).toBeNull();
});

it('gives sizes by precision, names what lacks, and misses T5 only beside CLIP-G', () => {
  const [transformer, autoencoder, , , t5] = foundRows(made.survey, { precision: 'f16', own: {} }, null, false);
  expect(transformer).toMatchObject({ as: 'f16', inFile: '4.5 GB', here: '4.5 GB', state: 'found' });
  expect(foundRows(made.survey, int8, null, false)[0]).toMatchObject({ as: 'int8', bits: 'int8', here: '2.3 GB' });
  expect(foundRows(made.survey, { precision: 'f16', own: { transformer: 'int8' } }, null, false).map(({ bits }) => bits)).toEqual(['int8', null, 'f16', 'f16', null]);
  expect(foundRows(made.survey, int8, made.progress, true).every(({ bits }) => bits === null)).toBe(true);
  expect(autoencoder).toMatchObject({ as: 'as it is', here: '168 MB' });
  expect(t5).toMatchObject({ optional: true, here: '–' });
  const lacking = foundRows({ ...made.survey, parts: made.survey.parts.slice(0, 2), lacking: ['Text encoder CLIP-L'] }, int8, null, false);
  expect(lacking).toHaveLength(3);
  expect(lacking[2]).toMatchObject({ label: 'Text encoder CLIP-L', tone: 'warn' });
});

it('says of a model’s parts what is here, checked or damaged', () => {
  const states = (...given: Parameters<typeof modelRows>) => modelRows(...given).map(({ state }) => state);
  expect(states(made.embedded, false, null)).toEqual(['✓ stored', '✓ stored', '✓ stored', '✓ stored']);
  expect(states(made.imported, true, null)[0]).toBe('being checked');
  expect(states(made.imported, false, [])[0]).toBe('✓ checked');
  expect(states(made.imported, false, [{ label: 'Transformer', tensors: 2 }]).slice(0, 2)).toEqual(['2 damaged', '✓ checked']);
  expect(states(made.unfinished, false, null).slice(0, 2)).toEqual(['partly here', 'not here yet']);
});

it('names the files', () => {
  expect(fromWords(['a.safetensors'])).toBe('a.safetensors');
  expect(fromWords(['sd35/config.json', 'sd35/a.safetensors', 'b.safetensors'])).toBe('a.safetensors and b.safetensors');
  expect(fromWords(['a.safetensors', 'b.safetensors', 'c.safetensors'])).toBe('a.safetensors and 2 more files');
});

it('knows SD3.5 Medium’s own transformer as the one that the plan was made of, and no other', async () => {
  const { shapes } = JSON.parse(await readFile('fixtures/sd3/manifests/sd35_medium.original.json', 'utf8')) as { shapes: Record<string, number[]> };
  const { parts } = recogniseParts([{ path: 'a', tensors: Object.entries(shapes).map(([key, shape]) => ({ path: 'a', key, dtype: 'F16', shape })) }]);
  const tensors = planPart(parts.find(({ part }) => part === 'transformer')!);
  for (const precision of KEPT_PRECISIONS) {
    const bytes = tensors.reduce((total, tensor) => total + storedBytes(tensor, precision), 0);
    expect(isPlanned(sd35Plan, bytes, precision), `${precision}: ${bytes}`).toBe(true);
    expect(isPlanned(sd35Plan, 0.8 * bytes, precision)).toBe(false);
  }
});
