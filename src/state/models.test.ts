/** The models slice over a made-up worker: whose token goes where, what may not be broken off, and what is remembered of the base. */
import { beforeEach, expect, it, vi } from 'vitest';
import { Fault } from '../protocol/faults';
import { defaultRecipe } from '../protocol/recipe';
import { fakeClient, type FakeClient } from '../testing/studio/fakeClient';
import * as made from '../testing/studio/modelFigures';
import { concept } from '../testing/studio/figures';
import { BASE_KEY, FOUND, ofBase, suggestionFor, suggestionReason, usesEmbedded } from './models';
import type { Studio } from './slice';
import { createStudio } from './studio';

let client: FakeClient;
let memory: Map<string, string>;
let reload: ReturnType<typeof vi.fn<() => void>>;
let studio: Studio;
const now = () => studio.getState();
const open = () => {
  studio = createStudio({ client, read: async () => new Response(), memory: { getItem: (key) => memory.get(key) ?? null, setItem: (key, value) => void memory.set(key, value) }, persist: async () => true, newId: () => 'id', reload, later: () => () => undefined });
};
const ready = (base = 'embedded', name = 'Embedded base') => client.emit('ready', { base, name, sizeBytes: 1, imageSize: 128, sees: true, skips: false, withoutT5: false, objects: false });
const asked = (name: string) => client.asked.filter((each) => each.name === name).map(({ params }) => params as Record<string, unknown>);
const file = (path: string) => ({ path, file: new File(['x'], path) });

beforeEach(() => {
  client = fakeClient({ models: () => [made.embedded, made.unfinished], surveyModel: () => made.survey });
  memory = new Map();
  reload = vi.fn<() => void>();
  open();
});

it('sends a token to the server it was given for, and forgets it with the files', async () => {
  await now().addModelAddress('https://one.example/a.safetensors', ' secret ');
  await now().addModelAddress('https://two.example/b.safetensors https://one.example/c.safetensors', '');
  expect(asked('surveyModel').at(-1)!.addresses).toEqual([
    { address: 'https://one.example/a.safetensors', token: 'secret' }, { address: 'https://two.example/b.safetensors', token: null }, { address: 'https://one.example/c.safetensors', token: 'secret' },
  ]);
  now().forgetModelFiles();
  await now().addModelAddress('https://one.example/a.safetensors', '');
  expect(asked('surveyModel').at(-1)!.addresses).toEqual([{ address: 'https://one.example/a.safetensors', token: null }]);
  expect(JSON.stringify([...memory])).not.toContain('secret');
});

it('goes on with an import from its address, in the precision it was begun in', async () => {
  client.answers.surveyModel = () => ({ ...made.survey, suggested: 'f16' });
  client.answers.importModel = () => made.imported;
  await now().refreshModels();
  await now().continueImport(made.unfinished.modelId);
  expect(asked('surveyModel')[0]!.addresses).toEqual([{ address: made.unfinished.address, token: null }]);
  expect(asked('importModel')).toEqual([{ precision: 'int8', own: {}, name: made.survey.name }]);
});

it('says which files an import needs beside its address, and goes on when they are dropped', async () => {
  await now().refreshModels();
  client.answers.surveyModel = ({ files }) => (files.length === 2 ? { ...made.survey, suggested: 'int8', resumes: { precision: 'int8', own: {}, share: 0.6 } } : { ...made.survey, fingerprint: 'other' });
  client.answers.importModel = () => made.imported;
  await now().continueImport(made.unfinished.modelId);
  expect(asked('importModel')).toEqual([]);
  expect(now().shownModel).toBe(FOUND);
  expect(now().modelFault).toMatchObject({ modelId: null, during: 'importing', fault: { code: 'base-incomplete', message: '“SD3.5 Medium” came partly from files: “clip_l.safetensors”, “clip_g.safetensors” are still needed.', remedy: expect.stringContaining('Drop them') as string } });
  await now().addModelFiles([file('clip_l.safetensors'), file('clip_g.safetensors')]);
  expect(asked('surveyModel').at(-1)!.addresses).toEqual([{ address: made.unfinished.address, token: null }]);
  expect(now()).toMatchObject({ modelFault: null, importPrecision: 'int8' });
  await now().importModel();
  expect(asked('importModel')).toHaveLength(1);
});

it('imports nothing where the address has other files now, and says a fault beside the model', async () => {
  client.answers.models = () => [made.embedded, { ...made.unfinished, from: 'sd3.5_medium.safetensors' }];
  await now().refreshModels();
  client.answers.surveyModel = () => ({ ...made.survey, fingerprint: 'other' });
  await now().continueImport(made.unfinished.modelId);
  expect(asked('importModel')).toEqual([]);
  expect(now().shownModel).toBe(FOUND);
  expect(now().modelFault).toMatchObject({ modelId: null, during: 'importing', fault: { code: 'base-mismatch', message: expect.stringContaining('other files now') as string } });
  client.answers.surveyModel = () => { throw new Fault('network', 'The server answered 401.', 'Enter a token.'); };
  await now().continueImport(made.unfinished.modelId);
  expect(now().modelFault).toMatchObject({ modelId: made.unfinished.modelId, fault: { code: 'network' } });
  expect(asked('importModel')).toEqual([]);
});

it('lets nothing break off an import but Stop', async () => {
  await now().addModelFiles([file('a.safetensors')]);
  client.answers.importModel = () => new Promise(() => {});
  void now().importModel();
  const before = client.asked.length;
  await now().addModelFiles([file('b.safetensors')]);
  await now().addModelAddress('https://one.example/a.safetensors', '');
  await now().checkModel('sd35-int8');
  await now().deleteModel('sd35-int8');
  await now().importModel();
  now().useModel('sd35-int8');
  expect(client.asked.slice(before).filter(({ name }) => name !== 'storage' && name !== 'models')).toEqual([]);
  expect(reload).not.toHaveBeenCalled();
  expect(now().modelWork?.kind).toBe('importing');
});

it('remembers the base by id and name, and takes what is in use from what was opened', async () => {
  await now().refreshModels();
  now().useModel(made.unfinished.modelId);
  expect(reload).toHaveBeenCalledOnce();
  open();
  expect(now().usedBase).toEqual({ id: made.unfinished.modelId, name: made.unfinished.name });
  expect(usesEmbedded(now())).toBe(false);
  ready(); // it could not be opened
  expect(memory.get(BASE_KEY)).toBe('embedded');
  expect(usesEmbedded(now())).toBe(true);
});

it('offers a concept only to the base it was learned on', () => {
  const own = concept(0, 'Dog', new Blob());
  const other = { ...concept(1, 'Cake', new Blob()), base: 'sd35-int8' };
  ready();
  expect(ofBase([own, other], now())).toEqual([own]);
  ready('sd35-int8', 'SD3.5 Medium');
  expect(ofBase([own, other], now())).toEqual([other]);
});

it('mixes concepts of the base in use alone', async () => {
  client.answers.concepts = () => [{ ...concept(1, 'Cake', new Blob()), base: 'sd35-int8' }, concept(0, 'Dog', new Blob())];
  ready();
  await vi.waitFor(() => expect(now().concepts).toHaveLength(2));
  now().enterMix();
  expect(now().mix.guidances.flatMap(({ source }) => (source.kind === 'concept' ? [source.conceptId] : []))).toEqual(['c0']);
  now().setMix({ prompt: 'a [cake] dog' });
  expect(now().mix.names).toEqual({});
});

it('suggests a precision by the memory that the user says, and lets a choice stand', async () => {
  await now().addModelFiles([file('sd3.5_medium.safetensors')]);
  expect([now().adapterMemory, now().importPrecision]).toEqual([8, 'int8']);
  now().setAdapterMemory(12);
  expect([now().adapterMemory, now().importPrecision]).toEqual([12, 'f16']);
  expect(suggestionFor(made.survey, 12)).toBe('f16');
  now().setImportPrecision('int4');
  now().setAdapterMemory(6);
  expect(now().importPrecision).toBe('int4');
  now().setAdapterMemory(16);
  open();
  expect(now().adapterMemory).toBe(16);
  await now().addModelFiles([file('sd3.5_medium.safetensors')]);
  expect(now().importPrecision).toBe('f16');
});

it('keeps parts otherwise until all are kept anew, and forgets it with the files', async () => {
  client.answers.importModel = () => made.imported;
  await now().addModelFiles([file('sd3.5_medium.safetensors')]);
  now().setImportPrecision('f16');
  now().setPartPrecision('text_encoder_2', 'int4');
  await now().importModel();
  expect(asked('importModel')).toEqual([{ precision: 'f16', own: { text_encoder_2: 'int4' }, name: made.survey.name }]);
  await now().addModelFiles([file('sd3.5_medium.safetensors')]);
  expect(now().importOwn).toEqual({});
  now().setPartPrecision('text_encoder_2', 'f16');
  now().setImportPrecision('int8');
  expect(now().importOwn).toEqual({});
  // an import that was broken off goes on as it was begun
  client.answers.surveyModel = () => ({ ...made.survey, suggested: 'int8', resumes: { precision: 'int8', own: { transformer: 'int4' }, share: 0.5 } });
  await now().addModelFiles([file('sd3.5_medium.safetensors')]);
  expect(now()).toMatchObject({ importPrecision: 'int8', importOwn: { transformer: 'int4' } });
});

it('suggests by size alone what was not counted, and what an import has begun where one was broken off', () => {
  const small = { ...made.survey, suggested: 'f16' as const, parts: made.survey.parts.map((part) => ({ ...part, storedAs: { f16: 3e7, int8: 2e7, int4: 1e7 } })) };
  expect(suggestionFor(small, 6)).toBe('f16');
  const resumed = { ...made.survey, suggested: 'int4' as const, resumes: { precision: 'int4' as const, own: {}, share: 0.5 } };
  expect(suggestionFor(resumed, 16)).toBe('int4');
  expect([small, resumed, made.survey].map((survey) => suggestionReason(survey, 12))).toEqual(['for a model of this size', 'as the import that was broken off had it', 'for 12 GB of graphics memory']);
});

it('takes over a large base’s defaults with it, in the recipe at hand and the one aside, but what was changed', () => {
  now().setField('learningRate', 3e-4);
  now().setKind('world');
  ready('mine', 'My model');
  expect(now().recipe).toMatchObject({ method: 'specialist', base: 'mine', learningRate: 1e-4 });
  now().setKind('instance');
  expect(now().recipe).toMatchObject({ base: 'mine', learningRate: 3e-4, studentLearningRate: 2e-4, sites: 'attention' });
});

it.each(['before', 'after'])('reads a link of another base as one for this base, %s that is ready', (when) => {
  if (when === 'after') ready('mine', 'My model');
  now().readLink('r.classWord=dog&r.learningRate=0.0003');
  if (when === 'before') ready('mine', 'My model');
  expect(now().recipe).toEqual({ ...defaultRecipe(undefined, 'mine'), classWord: 'dog', learningRate: 3e-4 });
});

it('takes what was being put together on another base over to this one', async () => {
  const crop = { x: 0, y: 0, side: 8 };
  const picture = { pictureId: 'p', name: 'p.png', width: 8, height: 8, crop, captions: null, file: new File(['x'], 'p.png'), bitmap: { close() {} } as ImageBitmap };
  client.answers.dataSet = () => ({ level: 0, name: 'My dog', named: false, captioned: false, recipe: { ...defaultRecipe(), classWord: 'dog' }, pictures: [picture] }) as never;
  client.answers.fitCheck = () => { throw new Fault('aborted', '', ''); };
  ready('mine', 'My model');
  await now().restoreDataSet();
  expect(now().cards).toHaveLength(1);
  expect(now().recipe).toEqual({ ...defaultRecipe(undefined, 'mine'), classWord: 'dog' });
});
