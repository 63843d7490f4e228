/**
 * Made-up states of the studio, one a name, for development and for `npm run screens`. Each begins as a user would come to it:
 * by the store's own actions and the worker's own events.
 */
import { Fault } from '../../protocol/faults';
import { defaultRecipe } from '../../protocol/recipe';
import { findMask } from '../../pipeline/objects/findMask';
import { blankMask, painted } from '../../protocol/objectMasks';
import type { Square } from '../../protocol/objects';
import { mixPicture, newGuidance, newObjectSource } from '../../protocol/mix';
import type { ModelSummary } from '../../protocol/models';
import type { RunInfo } from '../../protocol/run';
import { drawnMix } from '../../state/mixCards';
import type { Studio } from '../../state/slice';
import { fakeRun, type FakeClient } from './fakeClient';
import * as models from './modelFigures';
import { concept, load, measures, metrics, picture, words } from './figures';

interface Stage { client: FakeClient; studio: Studio }

const never = () => new Promise<never>(() => {});
const ready = ({ client }: Stage) => client.emit('ready', { base: 'embedded', name: 'Embedded base', sizeBytes: 58.6e6, imageSize: 128, sees: true, skips: false, withoutT5: false, objects: false });
const press = (id: string) => document.querySelector<HTMLElement>(`[data-testid="${id}"]`)?.click();
/** One paint, so that what was asked stands on the page. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 100));

async function dropped(stage: Stage) {
  ready(stage);
  await stage.studio.getState().loadSample('guide-dog');
  stage.client.emit('picture', picture({ kind: 'base' }, await load('/example/base.png')));
}

/** A run at a step, with the pictures and figures that it would have left by then. */
async function run(stage: Stage, changes: Partial<RunInfo>) {
  const { client, studio } = stage;
  await dropped(stage);
  const now = fakeRun({ lambda: 0.83, secondsLeft: 130, ...changes });
  studio.setState({ metrics: metrics(now.step) });
  client.emit('run', now);
  if (now.step < 25) return;
  client.emit('picture', picture({ kind: 'concept' }, await load('/example/balance-1.00.png'), now.phase === 'finished' || now.phase === 'stopped' ? {} : { state: 'draft' }));
  const steps = Array.from({ length: 1 + Math.floor(now.step / 50) }, (_, n) => 50 * n);
  const strip = await Promise.all(steps.map((_, n) => load(`/concepts/guide-dog/${1 + n % 5}.png`)));
  for (const [n, step] of steps.entries()) client.emit('picture', picture({ kind: 'strip', runId: 'run-1', step, side: 'concept' }, strip[n]!));
  client.emit('changed', { runId: 'run-1', step: 600, likeness: 0.51, drift: 0.08 });
}

/** Heads where a session would have found them; several ask which is meant, an unsure one whether it is a head. */
const faceAnswers = (heads: Square[], sure = true): FakeClient['answers'] => ({
  findMask: ({ pictureId }) => ({ pictureId, mask: painted(blankMask(), { u: 0.5, w: 0.6 }, { u: 0.5, w: 0.6 }, 0.3, false), heads, fault: !sure ? { code: 'face-unseen', message: 'No head is recognised in this picture.', remedy: 'If somebody is there, choose what is marked or frame the head yourself.', subject: pictureId } : heads.length === 1 ? null : { code: 'face-several', message: `${heads.length} stand out in this picture, and one is to be drawn.`, remedy: 'Choose a head, or frame one yourself.', subject: pictureId } }),
});

/** One picture, dropped on a base with an object encoder; `answers` says what the session made of it. */
async function onePicture(stage: Stage, answers: FakeClient['answers'] = {}, faces = false) {
  const { client, studio } = stage;
  const bitmap = await load('/concepts/one-eyed-monster/1.png');
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d')!;
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const mask = findMask(Float32Array.from({ length: (data.length / 4) * 3 }, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)]! / 127.5 - 1), bitmap.width)!;
  Object.assign(client.answers, {
    findMask: ({ pictureId }) => ({ pictureId, mask, fault: null, heads: [] }),
    encodeObject: ({ kind, seeing, pictures: { length } }) => ({ kind, seeing, revision: length, references: length, tokens: 16 * length, sizeBytes: 8192 * length, elapsedMs: 120, guesses: ['ghost', 'owl', 'hat'], cardId: null }),
    judgeObject: ({ revision }) => ({ revision, likeness: 0.61, copied: 0.08 }),
    ...answers,
  } satisfies FakeClient['answers']);
  client.emit('ready', { base: 'embedded', name: 'Embedded base', sizeBytes: 58.6e6, imageSize: 128, sees: true, skips: false, withoutT5: false, objects: true, ...(faces && { persons: true, faces }) });
  if (faces) studio.getState().setKind('person');
  await settled();
  await studio.getState().addFiles([{ file: await (await fetch('/concepts/one-eyed-monster/1.png')).blob(), name: 'monster.png' }]);
  await settled();
  await settled();
  if (!studio.getState().object) return;
  const { prompt, balance, recipe: { kind } } = studio.getState();
  client.emit('picture', picture({ kind: 'base' }, await load('/example/base.png'), { prompt, balance: 0, kind }));
  client.emit('picture', picture({ kind: 'concept' }, await load('/concepts/one-eyed-monster/5.png'), { prompt, balance, kind }));
  await settled();
  for (const [n, place] of ['at night', 'in a city', 'in a forest', 'in a room'].entries()) client.emit('picture', picture({ kind: 'place' }, await load(`/concepts/one-eyed-monster/${[5, 4, 2, 3][n]}.png`), { prompt: `a [V] ghost ${place}`, balance, kind }));
}

/** Many pictures without captions, before they are learned from. */
async function world(stage: Stage) {
  ready(stage);
  const { setKind, addFiles } = stage.studio.getState();
  setKind('world');
  const files = await Promise.all(['guide-dog', 'birthday-cake', 'one-eyed-monster', 'duotone'].flatMap((set) => [1, 2, 3, 4, 5].map(async (n) => ({ file: await (await fetch(`/concepts/${set}/${n}.png`)).blob(), name: `${set}-${n}.png` }))));
  await addFiles(Array.from({ length: 100 }, (_, n) => files[(7 * n) % files.length]!));
  stage.client.emit('picture', picture({ kind: 'base' }, await load('/example/base.png'), { prompt: 'in the snow', kind: 'world' }));
}

/** Two things and a style in one picture, with pictures of it. */
async function mixed(stage: Stage) {
  const { client, studio } = stage;
  client.answers.drawMix = () => ({ elapsedMs: 3000 });
  ready(stage);
  await settled();
  studio.getState().setTab('mix');
  await settled();
  studio.getState().setMix({ prompt: 'a [guide-dog] dog on the left and a [birthday-cake] cake on the right in the snow, [duotone]' });
  const [, dog, cake, style] = studio.getState().mix.guidances;
  studio.getState().setGuidance(dog!.id, { mask: { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0.12 } });
  studio.getState().setGuidance(cake!.id, { weight: 1.2, mask: { kind: 'box', left: 0.5, top: 0, right: 1, bottom: 1, feather: 0.12 }, schedule: { kind: 'interval', from: 0.9, to: 0.2 } });
  studio.getState().setGuidance(style!.id, { weight: 0.6, schedule: { kind: 'ramp', first: 0, last: 1 } });
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const { mix } = studio.getState();
  client.emit('overlap', { ids: mix.guidances.map(({ id }) => id), overlap: [[1, 0.12, 0.2, -0.08], [0.12, 1, 0.08, 0.21], [0.2, 0.08, 1, 0.47], [-0.08, 0.21, 0.47, 1]] });
  client.emit('picture', picture({ kind: 'mix', merged: false }, await load('/example/balance-1.00.png'), mixPicture(mix)));
  for (let n = 0; n < 5; n++) client.emit('picture', picture({ kind: 'mix-seed' }, await load(`/concepts/guide-dog/${1 + n}.png`), mixPicture({ ...mix, seed: mix.seed + n })));
}

/** A card of the Shelf with text and a concept, and one whose card is gone though another has its name. */
async function mixedCards({ client, studio }: Stage) {
  const preview = await (await fetch('/concepts/one-eyed-monster/5.png')).blob();
  const card = { cardId: 'k1', kind: 'object' as const, name: 'My ghost', classWord: 'ghost', createdAt: '2026-05-04T10:00:00Z', sizeBytes: 8192, references: 1, preview, base: 'embedded', imported: false, pictured: true };
  Object.assign(client.answers, { drawMix: () => ({ elapsedMs: 3000 }), cards: () => [card, { ...card, cardId: 'k2', name: 'Our lighthouse', classWord: 'lighthouse', references: 3, preview: null, imported: true }] } satisfies FakeClient['answers']);
  client.emit('ready', { base: 'embedded', name: 'Embedded base', sizeBytes: 58.6e6, imageSize: 128, sees: true, skips: false, withoutT5: false, objects: true });
  await settled();
  studio.getState().setTab('mix');
  await settled();
  const now = studio.getState;
  now().setMix({ prompt: 'a [my-ghost] ghost and a [guide-dog] dog in the snow' });
  const ghost = now().mix.guidances.find(({ source }) => source.kind === 'object')!;
  now().setGuidance(ghost.id, { weight: 0.8, mask: { kind: 'box', left: 0.5, top: 0, right: 1, bottom: 1, feather: 0.12 }, schedule: { kind: 'interval', from: 0.9, to: 0.2 } });
  now().openMix({ ...now().mix, guidances: [...now().mix.guidances, { ...newGuidance('gone', newObjectSource('k0', { name: 'Our lighthouse', classWord: 'lighthouse' })), weight: 1.2 }] });
  now().selectGuidance(ghost.id);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const mix = drawnMix(now().mix, now());
  const on = mix.guidances.filter(({ muted }) => !muted).map(({ id }) => id);
  client.emit('overlap', { ids: on, overlap: [[1, 0.12, 0.2], [0.12, 1, 0.08], [0.2, 0.08, 1]] });
  client.emit('picture', picture({ kind: 'mix', merged: false }, await load('/concepts/one-eyed-monster/4.png'), mixPicture(mix)));
}

/** The Models page, with these models on the device. */
async function modelsPage(stage: Stage, here: readonly ModelSummary[]) {
  stage.client.answers.models = () => [...here];
  stage.client.answers.storage = () => ({ usageBytes: 2.2e9, quotaBytes: 60e9, persisted: true, baseBytes: here.reduce((total, { storedBytes }) => total + storedBytes, 0), conceptBytes: 3e6 });
  ready(stage);
  stage.studio.getState().setTab('models');
  await settled();
}

/** Dropped files of SD3.5 Medium. */
async function modelFound(stage: Stage, survey = models.survey) {
  stage.client.answers.surveyModel = () => survey;
  await modelsPage(stage, [models.embedded]);
  await stage.studio.getState().addModelFiles(['sd3.5_medium', 'clip_l', 'clip_g'].map((name) => ({ path: `${name}.safetensors`, file: new File(['x'], name) })));
}

export const scenes: Record<string, (stage: Stage) => unknown> = {
  first: () => undefined,
  loading: ({ client }) => client.emit('loading', { file: 'transformer', doneBytes: 12.4e6, totalBytes: 58.6e6, source: 'network' }),
  ready,
  dropped,
  async reading(stage) {
    stage.client.answers.drop = never;
    ready(stage);
    await Promise.race([stage.studio.getState().loadSample('guide-dog'), settled()]);
  },
  async unnamed(stage) {
    ready(stage);
    await stage.studio.getState().addFiles(await Promise.all([1, 2].map(async (n) => ({ file: await (await fetch(`/concepts/guide-dog/${n}.png`)).blob(), name: `${n}.png` }))));
  },
  async 'faulty-learn'(stage) {
    await dropped(stage);
    stage.client.answers.learn = () => { throw new Fault('storage-full', 'The run takes 41 MB of storage, and the browser allows this page 12 MB more.', 'Free disk space, or delete a concept from the Shelf.'); };
    await stage.studio.getState().learn();
  },
  async faults(stage) {
    const { client, studio } = stage;
    client.answers.fitCheck = async ({ pictureId }) => ({ pictureId, bitmap: await load('/concepts/guide-dog/1.png'), psnr: 17.1, outside: true });
    await dropped(stage);
    await studio.getState().addFiles([{ file: new Blob(['hello']), name: 'notes.png' }]);
    studio.getState().setCaption(studio.getState().selectedId!, 'complete', 'a [V] dog with a harness and a long leash on a beach');
    studio.getState().setParams({ prompt: 'a [V] dog riding a unicorn' });
    client.answers.draw = () => { throw new Fault('prompt-invalid', 'The prompt has 94 tokens; this base reads 77.', 'Shorten it.'); };
    await studio.getState().draw();
  },
  'one-picture': (stage) => onePicture(stage),
  async 'one-picture-learn'(stage) { await onePicture(stage); stage.studio.getState().learnProperly(true); },
  'one-face': (stage) => onePicture(stage, faceAnswers([{ left: 0.3, top: 0.2, side: 0.4 }]), true),
  'one-face-mixed': async (stage) => {
    const { studio, client } = stage;
    client.answers.seeObject = (seeing) => ({ ...studio.getState().object!, seeing, revision: 3 });
    await onePicture(stage, faceAnswers([{ left: 0.3, top: 0.2, side: 0.4 }]), true);
    await studio.getState().addFiles([{ file: await (await fetch('/concepts/redbeard/1.png')).blob(), name: 'redbeard.png' }]);
    await settled();
    await settled();
    studio.getState().setSeeing({ share: 0.35 });
    const { prompt, balance, recipe: { kind } } = studio.getState();
    client.emit('picture', picture({ kind: 'concept' }, await load('/concepts/redbeard/2.png'), { prompt, balance, kind, state: 'quick' }));
  },
  'one-face-unseen': (stage) => onePicture(stage, faceAnswers([{ left: 0.3, top: 0.2, side: 0.4 }], false), true),
  'one-face-several': (stage) => onePicture(stage, faceAnswers([{ left: 0.05, top: 0.2, side: 0.35 }, { left: 0.55, top: 0.25, side: 0.35 }]), true),
  'one-picture-fault': (stage) => onePicture(stage, { findMask: ({ pictureId }) => ({ pictureId, mask: blankMask(), heads: [], fault: { code: 'object-unseen', message: 'Nothing in this picture stands out from its background.', remedy: 'Brush over the object.', subject: pictureId } }) }),
  async 'one-picture-brush'(stage) {
    await onePicture(stage);
    press('mask-brush');
  },
  async 'shelf-cards'(stage) {
    const preview = await (await fetch('/concepts/one-eyed-monster/5.png')).blob();
    stage.client.answers.cards = () => [{ cardId: 'k1', kind: 'object' as const, name: 'My ghost', classWord: 'ghost', createdAt: '2026-05-04T10:00:00Z', sizeBytes: 8192, references: 1, preview, base: 'embedded', imported: false, pictured: true }];
    ready(stage);
    stage.studio.getState().setTab('shelf');
  },
  encoding: async (stage) => { await run(stage, { phase: 'encoding', secondsLeft: null }); stage.client.emit('encoding', { done: 2, total: 5 }); },
  early: (stage) => run(stage, { phase: 'learning', stage: 'extractor', step: 6, secondsLeft: null, lambda: 1 }),
  learning: (stage) => run(stage, { phase: 'learning', stage: 'student', step: 612 }),
  paused: (stage) => run(stage, { phase: 'paused', step: 212, lambda: 1 }),
  stopped: (stage) => run(stage, { phase: 'stopped', step: 212, lambda: 1 }),
  finished: (stage) => run(stage, { phase: 'finished', step: 800 }),
  failed: async (stage) => {
    await run(stage, { step: 212, lambda: 1 });
    stage.client.emit('fault', { code: 'not-finite', message: 'At step 213 the loss is not a number.', remedy: 'Lower the learning rate and learn again; step 200 is kept.' });
    stage.client.emit('run', fakeRun({ phase: 'failed', step: 212 }));
  },
  async measuring(stage) {
    await run(stage, { phase: 'finished', step: 800 });
    stage.client.answers.measure = never;
    void stage.studio.getState().measure();
    stage.client.emit('measuring', { done: 9, total: 24 });
  },
  measured: async (stage) => {
    await run(stage, { phase: 'finished', step: 800 });
    stage.studio.setState({ measures, sheet: new Blob(['x']) });
  },
  world,
  async 'world-learning'(stage) {
    await world(stage);
    const { client, studio } = stage;
    const recipe = { ...defaultRecipe(undefined, 'embedded', 'specialist'), previewEvery: 50 };
    client.emit('run', { ...fakeRun({ name: 'My world', stage: 'specialist', step: 312, secondsLeft: 240 }), recipe, totalSteps: recipe.steps });
    studio.setState({ metrics: metrics(312).map((row) => ({ ...row, stage: 'specialist', figures: {} })) });
    const of = { prompt: 'in the snow', kind: 'world' } as const;
    client.emit('picture', picture({ kind: 'concept' }, await load('/example/balance-1.00.png'), { ...of, state: 'draft', atStep: 300 }));
    for (let step = 50; step <= 300; step += 50) client.emit('picture', picture({ kind: 'strip', runId: 'run-1', step, side: 'concept' }, await load(`/concepts/guide-dog/${1 + (step / 50) % 5}.png`), of));
    client.emit('changed', { runId: 'run-1', step: 300, likeness: 0.51, drift: 0.08 });
  },
  concept: async (stage) => {
    ready(stage);
    await stage.studio.getState().openConcept('c0');
    stage.client.emit('picture', picture({ kind: 'base' }, await load('/example/base.png')));
    stage.client.emit('picture', picture({ kind: 'concept' }, await load('/example/balance-1.00.png')));
  },
  'drawing-settings': async (stage) => {
    await dropped(stage);
    stage.studio.setState({ ready: { ...stage.studio.getState().ready!, skips: true }, sampler: 'dpmpp-2m' });
    await settled();
    press('more');
  },
  recipe: async (stage) => { await dropped(stage); await settled(); press('recipe'); },
  'recipe-locked': async (stage) => { await run(stage, { phase: 'learning', stage: 'student', step: 612 }); await settled(); press('recipe'); },
  export: async (stage) => { ready(stage); stage.studio.getState().setTab('shelf'); await settled(); press('concept-export-0'); },
  'export-word': async (stage) => {
    const preview = await (await fetch('/concepts/guide-dog/5.png')).blob();
    stage.client.answers.concepts = () => [{ ...concept(0, 'Guide dog', preview), base: 'sd3.5', wordTokens: 1 }, { ...concept(1, 'new1', preview), preview: null, classWord: '', lora: false, wordTokens: 2 }];
    ready(stage);
    stage.studio.getState().setTab('shelf');
    await settled();
    press('concept-export-0');
  },
  shelf: (stage) => { ready(stage); stage.studio.getState().setTab('shelf'); },
  delete: async (stage) => { ready(stage); stage.studio.getState().setTab('shelf'); await settled(); press('concept-delete-0'); },
  'shelf-empty': (stage) => { stage.client.answers.concepts = () => []; ready(stage); stage.studio.getState().setTab('shelf'); },
  mix: (stage) => mixed(stage),
  'mix-cards': mixedCards,
  'mix-empty': (stage) => { stage.client.answers.concepts = () => []; ready(stage); stage.studio.getState().setTab('mix'); },
  'mix-painting': async (stage) => {
    await mixed(stage);
    const { mix, setGuidance, selectGuidance, setComposition } = stage.studio.getState();
    const { id } = mix.guidances[2]!;
    setGuidance(id, { mask: { kind: 'painted', side: 16, cells: Array.from({ length: 256 }, (_, i) => (Math.hypot((i % 16) - 11, Math.floor(i / 16) - 10) < 4 ? 'f' : '0')).join('') }, schedule: { kind: 'curve', points: [{ sigma: 1, factor: 0.2 }, { sigma: 0.7, factor: 1.2 }, { sigma: 0.3, factor: 1 }, { sigma: 0, factor: 0.4 }] } });
    selectGuidance(id);
    setComposition({ together: true });
    await settled();
    stage.client.emit('picture', picture({ kind: 'mix', merged: false }, await load('/example/balance-1.00.png'), { ...mixPicture(stage.studio.getState().mix), state: 'draft', elapsedMs: 14 }));
    document.querySelector<HTMLDetailsElement>('.options')!.open = true;
  },
  models: (stage) => modelsPage(stage, [models.embedded, models.imported]),
  'models-found': (stage) => modelFound(stage),
  'models-lacking': (stage) => modelFound(stage, { ...models.survey, parts: models.survey.parts.slice(0, 2), lacking: ['Text encoder CLIP-L'], notes: [] }),
  async 'models-importing'(stage) {
    await modelFound(stage, { ...models.survey, notes: [] });
    stage.client.answers.importModel = never;
    void stage.studio.getState().importModel();
    stage.client.emit('importing', models.progress);
  },
  async 'models-unfinished'(stage) {
    await modelsPage(stage, [models.embedded, models.unfinished]);
    stage.studio.getState().showModel(models.unfinished.modelId);
  },
  async 'models-checked'(stage) {
    await modelsPage(stage, [models.embedded, models.imported]);
    stage.studio.getState().showModel(models.imported.modelId);
    stage.client.answers.checkModel = () => {
      stage.client.answers.models = () => [models.embedded, { ...models.imported, installed: false, share: 0.99, parts: models.imported.parts.map((part, n) => ({ ...part, state: n === 0 ? 'importing' : 'stored' })) }];
      return { damaged: [{ label: 'Transformer', tensors: 2 }] };
    };
    await stage.studio.getState().checkModel(models.imported.modelId);
  },
  async 'models-installed'(stage) {
    await modelsPage(stage, [models.embedded, models.imported]);
    stage.studio.getState().showModel(models.imported.modelId);
  },
  async 'models-fault'(stage) {
    await modelFound(stage, { ...models.survey, notes: [] });
    stage.client.answers.importModel = () => { throw new Fault('storage-full', 'The model takes 3.6 GB more, and the browser allows this page 2.1 GB more.', 'Free disk space, delete another model, or keep it in fewer bits.'); };
    await stage.studio.getState().importModel();
  },
  async 'models-wrong-file'(stage) {
    await modelsPage(stage, [models.embedded]);
    stage.client.answers.surveyModel = () => { throw new Fault('file-unrecognised', '“flux1-dev.safetensors” is a Flux model.', 'Lamina learns on Stable Diffusion 3 and 3.5: their transformer, autoencoder and text encoders.'); };
    await stage.studio.getState().addModelFiles([{ path: 'flux1-dev.safetensors', file: new File(['x'], 'flux1-dev.safetensors') }]);
  },
  async 'shelf-other-model'(stage) {
    const preview = await (await fetch('/concepts/guide-dog/5.png')).blob();
    stage.client.answers.models = () => [models.embedded, models.imported];
    stage.client.answers.concepts = () => [concept(0, 'Guide dog', preview), { ...concept(1, 'Birthday cake', preview), base: models.imported.modelId }, { ...concept(2, 'Duotone', preview), base: 'gone' }];
    ready(stage);
    stage.studio.getState().setTab('shelf');
  },
  async 'first-imported'(stage) {
    stage.client.answers.vocabulary = () => ({ words: [] });
    stage.client.answers.models = () => [models.embedded, models.imported];
    stage.client.emit('ready', { base: models.imported.modelId, name: 'SD3.5 Medium', sizeBytes: 3.4e9, imageSize: 512, sees: false, skips: false, withoutT5: false, objects: false });
  },
  async 'finished-imported'(stage) {
    await run(stage, { phase: 'finished', step: 800 });
    stage.client.emit('ready', { base: models.imported.modelId, name: 'SD3.5 Medium', sizeBytes: 3.4e9, imageSize: 512, sees: false, skips: false, withoutT5: false, objects: false });
    stage.client.emit('changed', { runId: 'run-1', step: 800, likeness: null, drift: 0.08 });
  },
  resume: (stage) => { ready(stage); stage.studio.setState({ unfinished: { run: fakeRun({ step: 212 }), pictures: [], metrics: [], strip: [], changed: null, measures: null, prompt: '', seed: 42, ownedElsewhere: false } }); },
  discard: async (stage) => { await scenes.resume!(stage); await settled(); press('resume-discard'); },
  'no-base': ({ client }) => client.emit('fault', { code: 'network', message: 'The base could not be fetched: the network gave no answer for transformer.safetensors.', remedy: 'Reload when there is a network; what has arrived is kept.' }),
  restarting: async (stage) => { await run(stage, { phase: 'learning', stage: 'student', step: 612 }); stage.client.emit('restarting', { message: 'The browser ended the worker.' }); },
};

/** What the made-up worker answers in every scene. */
async function answer({ client }: Stage) {
  client.answers.vocabulary = () => ({ words });
  client.answers.drop = async ({ file, name, pictureId }) => {
    if (!file.type.startsWith('image/')) throw new Fault('file-not-a-picture', `“${name}” is not a picture: it begins like text.`, 'Choose a PNG, JPEG, WebP, AVIF or GIF.');
    const bitmap = await createImageBitmap(file);
    const { width, height } = bitmap;
    const size = Math.min(width, height);
    return { kind: 'picture', picture: { pictureId, name, width, height, crop: { x: (width - size) / 2, y: (height - size) / 2, size }, bitmap }, animated: false, drawn: null };
  };
  client.answers.fitCheck = async ({ pictureId }) => ({ pictureId, bitmap: await load('/concepts/guide-dog/1.png'), psnr: 27.1, outside: false });
  client.answers.learn = () => fakeRun();
  const preview = await (await fetch('/concepts/guide-dog/5.png')).blob();
  client.answers.concepts = () => ['Guide dog', 'Birthday cake', 'Duotone'].map((name, n) => concept(n, name, preview));
  client.answers.openConcept = () => concept(0, 'Guide dog', preview);
  client.answers.exportConcept = () => ({ file: new Blob([new Uint8Array(8), 'x']), fileName: 'guide-dog.safetensors', tellsAll: false, likeness: { here: 0.58, withoutRows: 0.31, elsewhere: 0.27 } });
}

export async function playScene(scene: string, client: FakeClient, studio: Studio): Promise<void> {
  const stage = { client, studio };
  await answer(stage);
  const play = scenes[scene];
  if (!play) throw new Error(`There is no scene “${scene}”; there are ${Object.keys(scenes).join(', ')}.`);
  await play(stage);
}
