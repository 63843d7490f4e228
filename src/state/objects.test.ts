/** One picture in the store, over a client that is made up: what is asked of the session, when, and what is let go. */
import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { blankMask, painted } from '../protocol/objectMasks';
import type { ParamsOf } from '../protocol/messages';
import { plainSeeing, type ObjectInHand } from '../protocol/objects';
import { defaultRecipe } from '../protocol/recipe';
import { fakeClient, fakeRun, type FakeClient } from '../testing/studio/fakeClient';
import { bitmap, file, picture, reading, studioOver } from '../testing/studio/studioOver';
import { followDataSet } from './dataSet';
import { followObject, isCalledSomebody, isObject, isOnePicture, MOST_REFERENCES, wantedCards } from './objects';

const ready = { base: 'embedded', name: 'Embedded base', sizeBytes: 1, imageSize: 128, sees: true, skips: false, withoutT5: false, objects: true };
const middle = { u: 0.5, w: 0.5 };
const mask = painted(blankMask(), middle, middle, 0.3, false);
const inHand = (revision: number, references = 1): ObjectInHand => ({ kind: 'object', seeing: plainSeeing, revision, references, tokens: 16 * references, sizeBytes: 8192 * references, elapsedMs: 5, guesses: ['ghost', 'owl'], cardId: null });

let client: FakeClient;
let revision: number;
beforeEach(() => {
  revision = 0;
  client = fakeClient({
    findMask: ({ pictureId }) => ({ pictureId, mask, fault: null, heads: [] }),
    encodeObject: ({ pictures }) => inHand(++revision, pictures.length),
    judgeObject: (asked) => ({ revision: asked.revision, likeness: 0.6, copied: 0.1 }),
    fitCheck: ({ pictureId }) => ({ pictureId, bitmap: bitmap(), psnr: 30, outside: false }),
  });
  reading(client);
});
const asked = (...names: string[]) => client.asked.filter(({ name }) => names.includes(name)).map(({ name }) => name);
const settled = async () => { for (let n = 0; n < 40; n++) await Promise.resolve(); };

function open() {
  const made = studioOver(client);
  followObject(made.studio);
  client.emit('ready', ready);
  return made;
}
async function dropped(...names: string[]) {
  const made = open();
  await made.now().addFiles((names.length > 0 ? names : ['a.png']).map(file));
  await settled();
  return made;
}

it.each([
  ['man', { ...ready, faces: true }, true], ['Girl ', { ...ready, faces: true }, true], ['ghost', { ...ready, faces: true }, false], ['', { ...ready, faces: true }, false], ['man', ready, false], ['man', { ...ready, objects: false, faces: true }, false],
] as const)('offers the face alone of a thing called “%s” where there are faces (%#)', async (word, opened, offered) => {
  const { now } = open();
  client.emit('ready', opened);
  now().setClassWord(word);
  expect(isCalledSomebody(now())).toBe(offered);
  now().setKind('style');
  expect(isCalledSomebody(now())).toBe(false);
});

it.each([[true, 'person'], [undefined, 'instance']] as const)('takes up the sample of somebody (faces: %s) as a %s', async (faces, kind) => {
  const { now } = studioOver(client, { read: async (path) => new Response(new Uint8Array(await readFile(`public/${path}`))) });
  client.emit('ready', { ...ready, ...(faces && { faces }) });
  await now().loadSample('blue-curls');
  expect(now().inputFault).toBeNull();
  expect(now().recipe).toMatchObject({ kind, classWord: 'boy' });
});

describe('a dropped picture', () => {
  it('is masked, encoded, named and drawn, in this order and once', async () => {
    const { now } = await dropped();
    expect(asked('findMask', 'encodeObject', 'draw')).toEqual(['findMask', 'encodeObject', 'draw']);
    expect(now()).toMatchObject({ object: { revision: 1 }, guessed: 'ghost', prompt: 'a [V] ghost in the snow', balance: 0.8, objectWork: null });
    expect([isOnePicture(now()), isObject(now())]).toEqual([true, true]);
    await now().refreshObject();
    expect(asked('encodeObject')).toHaveLength(1);
  });

  it('keeps the word that was typed before, and the prompt', async () => {
    const { now } = open();
    now().setClassWord('monster');
    now().setParams({ prompt: 'a [V] monster on a beach' });
    await now().addFiles([file('a.png')]);
    await settled();
    expect(now()).toMatchObject({ guessed: null, prompt: 'a [V] monster on a beach', recipe: { classWord: 'monster' } });
  });

  it('waits for the brush where nothing stands out', async () => {
    client.answers.findMask = ({ pictureId }) => ({ pictureId, mask: blankMask(), heads: [], fault: { code: 'object-unseen', message: 'Nothing.', remedy: 'Brush.', subject: pictureId } });
    const { now, timers } = await dropped();
    expect(asked('encodeObject', 'draw')).toEqual([]);
    expect(isOnePicture(now())).toBe(true);
    const { pictureId } = now().cards[0]!;
    now().brushMask(pictureId, { u: 0.3, w: 0.5 }, { u: 0.7, w: 0.5 }, false);
    expect(now().masks[pictureId]).toMatchObject({ found: false, fault: null });
    timers.at(-1)!();
    await settled();
    expect(asked('encodeObject')).toHaveLength(1);
  });

  it('says why it could not be encoded, and is tried again when its mask changes', async () => {
    client.answers.encodeObject = () => { throw Object.assign(new Error('no memory'), { code: 'internal' }); };
    const { now } = await dropped();
    expect(now()).toMatchObject({ object: null, objectWork: null, objectFault: { message: 'no memory' } });
    client.answers.encodeObject = () => inHand(1);
    await now().refreshObject();
    expect(now()).toMatchObject({ object: { revision: 1 }, objectFault: null });
  });
});

describe('what is in hand', () => {
  it('is let go with its picture, and comes back with undo', async () => {
    const { now } = await dropped();
    const shown = picture({ kind: 'concept' }, { prompt: now().prompt, balance: 0.8 });
    client.emit('picture', shown);
    now().removeCard(now().cards[0]!.pictureId);
    await settled();
    expect(now()).toMatchObject({ object: null, twins: { concept: null } });
    expect(shown.bitmap.close).toHaveBeenCalled();
    expect(asked('leaveObject')).toHaveLength(1);
    now().undo();
    await settled();
    expect(now().object).toMatchObject({ revision: 2 });
  });

  it('grows with further pictures, up to what a card holds', async () => {
    const { now } = await dropped('a.png', 'b.png');
    expect(now().object).toMatchObject({ references: 2 });
    expect(isOnePicture(now())).toBe(false);
    await now().addFiles(Array.from({ length: MOST_REFERENCES - 1 }, (_, n) => file(`${n}.png`)));
    await settled();
    expect(wantedCards(now())).toBeNull();
    expect(now().object).toBeNull();
  });

  it('is not of styles, and not of a run', async () => {
    const { now } = await dropped();
    now().setKind('style');
    await settled();
    expect(now().object).toBeNull();
    now().setKind('instance');
    await settled();
    expect(now().object).not.toBeNull();
    client.answers.learn = () => fakeRun();
    await now().learn();
    await settled();
    expect(now().object).toBeNull();
  });

  it('is given to a worker that takes another’s place, the picture before it', async () => {
    const { now } = await dropped();
    client.asked.length = 0;
    client.emit('restarted', { run: null });
    await settled();
    expect(asked('drop', 'encodeObject')).toEqual(['drop', 'encodeObject']);
    expect(now().object).toMatchObject({ revision: 2 });
  });

  it('is opened again there where it came from a card', async () => {
    client.answers.keepCard = () => ({ cardId: 'k', kind: 'object' as const, name: 'Kept', classWord: 'ghost', createdAt: '', sizeBytes: 1, references: 1, preview: null, base: 'embedded', imported: false, pictured: true });
    const { now } = await dropped();
    await now().keepObject();
    const { card } = now();
    client.answers.openCard = () => ({ card: card!, object: { ...inHand(3), cardId: 'k' }, pictures: [] });
    client.asked.length = 0;
    client.emit('restarted', { run: null });
    await settled();
    expect(asked('openCard', 'drop', 'encodeObject')).toEqual(['openCard']);
    expect(now()).toMatchObject({ object: { revision: 3, cardId: 'k' }, card: { cardId: 'k' } });
  });

  it('stays when a card cannot be opened, and what was stopped for the card is encoded then', async () => {
    client.answers.keepCard = () => ({ cardId: 'k', kind: 'object' as const, name: 'Kept', classWord: 'ghost', createdAt: '', sizeBytes: 1, references: 1, preview: null, base: 'embedded', imported: false, pictured: true });
    const { now } = await dropped();
    await now().keepObject();
    client.answers.openCard = () => { throw Object.assign(new Error('another encoder'), { code: 'base-mismatch' }); };
    // also where it is the card in hand itself
    await now().openCard('k');
    expect(now().shelfFault).toMatchObject({ conceptId: 'k', fault: { message: 'another encoder' } });
    const stopped = vi.fn();
    client.answers.encodeObject = () => new Promise(stopped);
    now().invertMask(now().cards[0]!.pictureId);
    void now().refreshObject();
    await settled();
    expect(stopped).toHaveBeenCalledTimes(1);
    client.answers.encodeObject = () => inHand(9);
    await now().openCard('other');
    await settled();
    expect(now()).toMatchObject({ object: { revision: 9 }, objectWork: null });
  });

  it('says that a run waits when a card is opened over it, and looks for it', async () => {
    client.answers.openCard = () => ({ card: { cardId: 'k', kind: 'object' as const, name: 'Kept', classWord: 'owl', createdAt: '', sizeBytes: 1, references: 1, preview: null, base: 'embedded', imported: true, pictured: false }, object: { ...inHand(7), cardId: 'k' }, pictures: [] });
    const { now, studio } = open();
    studio.setState({ run: fakeRun({ name: 'My owl', phase: 'learning', step: 12 }) });
    client.asked.length = 0;
    await now().openCard('k');
    expect(now().notices.at(-1)?.text).toContain('“My owl” waits at step 12');
    expect(asked('unfinishedRun')).toHaveLength(1);
  });

  it('gives way to a card that is opened, whatever is still being encoded', async () => {
    let finish = (_: ObjectInHand) => {};
    client.answers.encodeObject = () => new Promise((resolve) => { finish = resolve; });
    client.answers.openCard = () => ({ card: { cardId: 'k', kind: 'object' as const, name: 'Kept', classWord: 'owl', createdAt: '', sizeBytes: 1, references: 1, preview: null, base: 'embedded', imported: true, pictured: false }, object: { ...inHand(7), cardId: 'k' }, pictures: [] });
    const { now } = await dropped();
    const opened = client.answers.openCard;
    const { pictureId } = now().cards[0]!;
    client.answers.openCard = async (params) => {
      now().invertMask(pictureId);
      await now().refreshObject();
      return opened(params);
    };
    await now().openCard('k');
    expect(asked('encodeObject')).toHaveLength(1);
    finish(inHand(1));
    await settled();
    expect(now()).toMatchObject({ object: { revision: 7 }, card: { cardId: 'k' }, cards: [], tab: 'learn', recipe: { classWord: 'owl' } });
    expect(isOnePicture(now())).toBe(true);
  });
});

it('has the session let go of what came too late to be stopped', async () => {
  let finish = (_: ObjectInHand) => {};
  client.answers.encodeObject = () => new Promise((resolve) => { finish = resolve; });
  const { now } = await dropped();
  now().startOver();
  await settled();
  expect(asked('leaveObject')).toEqual([]);
  finish(inHand(1));
  await settled();
  expect(asked('leaveObject')).toHaveLength(1);
  expect(now()).toMatchObject({ object: null, objectWork: null });
});

it('keeps a brushed mask with the data set only while it is of the crop', async () => {
  client.answers.dataSet = () => null;
  const { studio, now, timers } = await dropped();
  studio.setState({ dataSetRead: true });
  followDataSet(studio, { client, later: (_ms, run) => { timers.push(run); return () => {}; } });
  const kept = () => { while (timers.length > 0) timers.pop()!(); return (client.asked.filter(({ name }) => name === 'keepDataSet').at(-1)?.params as ParamsOf<'keepDataSet'>).dataSet!.pictures[0]; };
  const { pictureId } = now().cards[0]!;
  now().invertMask(pictureId);
  expect(kept()).toHaveProperty('mask');
  await settled();
  // a style has no masks, so that none is found for its new crop
  now().setKind('style');
  now().setCrop(pictureId, { x: 0, y: 0, size: 6 });
  expect(kept()).not.toHaveProperty('mask');
});

describe('undo', () => {
  const at = (u: number) => ({ u, w: 0.1 });

  it('takes back a stroke of the brush at once, a mask that was inverted and one that was found again, newest first', async () => {
    const { now, timers } = await dropped();
    const { pictureId } = now().cards[0]!;
    const mask = () => now().masks[pictureId];
    const before = [mask()];
    const stroke = (u: number) => {
      now().brushMask(pictureId, null, at(u), false);
      for (let n = 0; n < 3; n++) now().brushMask(pictureId, at(u), at(u + 0.05), false);
    };
    for (const change of [() => stroke(0.2), () => stroke(0.7), () => now().invertMask(pictureId), () => now().invertMask(pictureId), () => now().findMaskAgain(pictureId)]) {
      change();
      before.push(mask());
    }
    await settled();
    expect(mask()).toMatchObject({ found: true });
    while (timers.length > 0) timers.pop()!();
    await settled();
    before.pop();
    for (const then of before.reverse()) {
      now().undo();
      expect(mask()).toBe(then);
      await settled();
      expect((client.asked.filter(({ name }) => name === 'encodeObject').at(-1)!.params as ParamsOf<'encodeObject'>).pictures[0]!.mask).toEqual(then!.mask);
    }
    expect(asked('encodeObject')).toHaveLength(6);
  });

  it('of a caption keeps the mask that was found since', async () => {
    let find = () => {};
    client.answers.findMask = ({ pictureId }) => new Promise((resolve) => { find = () => resolve({ pictureId, mask, fault: null, heads: [] }); });
    const { now } = await dropped();
    const { pictureId } = now().cards[0]!;
    now().setCaption(pictureId, 'base', 'a ghost at night');
    find();
    await settled();
    now().undo();
    expect(now().masks[pictureId]).toMatchObject({ found: true });
  });

  it('takes back whose head is meant', async () => {
    const heads = [{ left: 0.1, top: 0.1, side: 0.3 }, { left: 0.6, top: 0.1, side: 0.3 }];
    client.answers.findMask = ({ pictureId }) => ({ pictureId, mask, heads, fault: { code: 'face-several', message: 'Two stand out.', remedy: 'Choose a head.', subject: pictureId } });
    const { now } = open();
    client.emit('ready', { ...ready, persons: true, faces: true });
    now().setKind('person');
    await now().addFiles([file('a.png')]);
    await settled();
    const { pictureId } = now().cards[0]!;
    const chosen = () => now().masks[pictureId]!.heads!.chosen;
    for (const head of heads) now().chooseHead(pictureId, head);
    now().undo();
    expect(chosen()).toEqual(heads[0]);
    now().undo();
    expect(chosen()).toBeNull();
  });
});

describe('a data set that was put together before a card is opened', () => {
  const info = (pictureId: string) => ({ pictureId, name: `${pictureId}.png`, width: 16, height: 8, crop: { x: 4, y: 0, size: 8 }, bitmap: bitmap() });
  const opened = (ids: readonly string[]) => () => ({
    card: { cardId: 'k', kind: 'object' as const, name: 'Kept', classWord: 'owl', createdAt: '', sizeBytes: 1, references: 1, preview: null, base: 'embedded', imported: ids.length === 0, pictured: ids.length > 0 },
    object: { ...inHand(7), cardId: 'k' }, pictures: ids.map((id) => ({ ...info(id), mask, file: new Blob(['x']) })),
  });
  const waiting = () => ({ name: 'My ghost', named: true, recipe: defaultRecipe(), captioned: null, pictures: [{ ...info('mine'), captions: { complete: 'a [V] ghost', base: 'a ghost', target: '[V] ghost' }, file: new Blob(['x']) }], level: 0 });
  const kept = () => client.asked.flatMap(({ name, params }) => (name === 'keepDataSet' ? [params as ParamsOf<'keepDataSet'>] : []));

  it.each([[['p']], [[]]])('waits under the card with pictures %j, also while that is learned, and is there again when the card is put away', async (ids) => {
    const { studio, now, timers } = await dropped();
    studio.setState({ dataSetRead: true });
    followDataSet(studio, { client, later: (_ms, run) => { timers.push(run); return () => {}; } });
    client.answers.openCard = opened(ids);
    await now().openCard('k');
    await settled();
    now().setClassWord('eagle');
    studio.setState({ run: fakeRun({ phase: 'finished' }) });
    timers.splice(0).forEach((run) => run());
    client.answers.dataSet = waiting;
    now().setClassWord('hawk');
    now().newConcept();
    timers.splice(0).forEach((run) => run());
    await settled();
    // the card and what is learned of it lie above
    expect(new Set(kept().map(({ level, dataSet }) => `${level} ${dataSet}`))).toEqual(new Set(['1 null']));
    expect(now()).toMatchObject({ conceptName: 'My ghost', cards: [{ pictureId: 'mine' }], dataSetRead: true, dataSetLevel: 0 });
  });

  it('waits under a run that is taken up, and is there again when that is put away', async () => {
    const { studio, now, timers } = await dropped();
    studio.setState({ dataSetRead: true });
    followDataSet(studio, { client, later: (_ms, run) => { timers.push(run); return () => {}; } });
    const run = fakeRun({ phase: 'finished' });
    const { captions } = waiting().pictures[0]!;
    client.answers.unfinishedRun = () => ({ run, metrics: [], strip: [], changed: null, measures: null, prompt: 'a [V] owl', seed: 42, ownedElsewhere: false, pictures: [{ ...info('owl'), captions }] });
    client.answers.continueRun = () => run;
    await now().findUnfinished();
    await now().continueRun();
    timers.splice(0).forEach((later) => later());
    expect(now().cards).toMatchObject([{ pictureId: 'owl' }]);
    client.answers.unfinishedRun = () => null;
    client.answers.dataSet = waiting;
    now().newConcept();
    await settled();
    expect(now()).toMatchObject({ run: null, cards: [{ pictureId: 'mine' }], dataSetLevel: 0 });
    expect(kept().filter(({ level }) => level === 0)).toEqual([]);
  });

  it('lies under what is made of the card’s pictures with others', async () => {
    const { studio, now, timers } = open();
    studio.setState({ dataSetRead: true });
    followDataSet(studio, { client, later: (_ms, run) => { timers.push(run); return () => {}; } });
    client.answers.openCard = opened(['p']);
    await now().openCard('k');
    await now().addFiles([file('b.png')]);
    await settled();
    timers.splice(0).forEach((run) => run());
    expect(new Set(kept().map(({ level, dataSet }) => `${level} ${dataSet?.pictures.length}`))).toEqual(new Set(['1 2']));
  });
});

it('puts pictures of other places away when the object is another, or is drawn otherwise', async () => {
  client.answers.vocabulary = () => ({ words: [] });
  const { now, timers } = await dropped();
  const wanted = client.asked.filter(({ name }) => name === 'places').map(({ params }) => (params as { prompts: string[] }).prompts);
  const shown = () => now().places.map(({ prompt }) => prompt);
  const show = () => { for (const prompt of wanted[0]!) client.emit('picture', picture({ kind: 'place' }, { prompt, balance: 0.8, seed: 42, guidance: now().guidance })); };
  show();
  expect(shown()).toEqual(wanted[0]);
  now().invertMask(now().cards[0]!.pictureId);
  timers.at(-1)!();
  await settled();
  expect(now().object).toMatchObject({ revision: 2 });
  expect(shown()).toEqual([]);
  expect(asked('places')).toHaveLength(2);
  show();
  now().setParams({ guidance: 7 });
  await now().draw();
  expect(asked('places')).toHaveLength(3);
});

it('takes pictures of other places and figures only while they are of what is shown', async () => {
  const { now } = await dropped();
  const place = (balance: number) => picture({ kind: 'place' }, { prompt: 'a [V] ghost at night', balance, seed: 42 });
  const [good, late] = [place(0.8), place(0.3)];
  client.emit('picture', good);
  client.emit('picture', late);
  expect(now().places).toEqual([good]);
  expect(late.bitmap.close).toHaveBeenCalled();
  client.emit('picture', picture({ kind: 'concept' }, { prompt: now().prompt, balance: 0.8, revision: 9 }));
  await vi.waitFor(() => expect(now().objectFigures).toMatchObject({ revision: 9, likeness: 0.6 }));
});
