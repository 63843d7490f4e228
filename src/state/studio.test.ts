import { describe, expect, it, vi } from 'vitest';
import type { PictureEvent } from '../protocol/pictures';
import type { StepMetrics } from '../protocol/run';
import { Fault } from '../protocol/faults';
import { fakeClient, fakeRun, type FakeClient } from '../testing/studio/fakeClient';
import type { Environment } from './client';
import { createStudio, followFragment } from './studio';

const bitmap = () => ({ width: 8, height: 8, close: vi.fn() }) as unknown as ImageBitmap & { close: ReturnType<typeof vi.fn> };
const picture = (slot: PictureEvent['slot'], changes: Partial<PictureEvent> = {}): PictureEvent =>
  ({ slot, revision: 1, bitmap: bitmap(), state: 'full', step: 20, steps: 20, elapsedMs: 9, prompt: 'a [V] dog', negative: '', seed: 42, guidance: 3, kind: 'instance', balance: 1, atStep: 30, ...changes });

function studioOver(client: FakeClient, changes: Partial<Environment> = {}) {
  let count = 0;
  const timers: (() => void)[] = [];
  const studio = createStudio({
    client, read: async () => new Response('{}'), memory: null, persist: async () => true, newId: () => `id-${count++}`,
    later: (_ms, run) => { timers.push(run); return () => { const at = timers.indexOf(run); if (at >= 0) timers.splice(at, 1); }; },
    ...changes,
  });
  return { studio, timers, now: studio.getState };
}

const reading = (client: FakeClient) => {
  client.answers.drop = ({ name, pictureId }) => {
    if (name.endsWith('.txt')) throw new Fault('file-not-a-picture', 'Not a picture.', 'Choose another.');
    const picture = { pictureId, name, width: 16, height: 8, crop: { x: 4, y: 0, size: 8 }, bitmap: bitmap() };
    const drawn = name.startsWith('drawn') ? { params: { prompt: 'a dog on a beach', seed: 7 }, conceptId: null, note: '' } : null;
    return { kind: 'picture', picture, animated: name.endsWith('.gif'), drawn };
  };
};
const file = (name: string) => ({ file: new Blob(['x']), name });

describe('pictures', () => {
  it('keeps good files beside bad ones, each with its own fault', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('a.png'), file('b.txt'), file('c.png')]);
    expect(now().cards.map((card) => card.state)).toEqual(['ready', 'faulty', 'ready']);
    expect(now().cards[1]!.fault?.code).toBe('file-not-a-picture');
    now().clearPictures();
    await now().addFiles([file('b.txt'), file('a.png')]);
    expect(now().selectedId).toBe(now().cards[1]!.pictureId);
  });

  it('takes up to 20 and says how many were left out', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles(Array.from({ length: 22 }, (_, n) => file(`${n}.png`)));
    expect(now().cards).toHaveLength(20);
    expect(now().inputFault).toMatchObject({ code: 'too-many-pictures', message: expect.stringContaining('2 pictures') as string });
  });

  it('offers what a picture says of how it was drawn, and says that one frame of an animation is used', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('drawn.png'), file('b.gif')]);
    expect(now().cards.map((card) => card.state)).toEqual(['ready', 'ready']);
    expect(now().prompt).not.toBe('a dog on a beach');
    const [offer, frame] = now().notices;
    expect(frame!.text).toBe('“b.gif” is animated: its first frame is used.');
    offer!.offer!.accept();
    expect(now()).toMatchObject({ prompt: 'a dog on a beach', seed: 7 });
    expect(client.asked.filter(({ name }) => name === 'drop')).toMatchObject([{ params: { purpose: 'among' } }, { params: { purpose: 'among' } }]);
  });

  it('gives a worker that replaces another the pictures on the cards', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('a.png'), file('b.txt')]);
    client.emit('compute', { backend: 'wasm', adapter: 'wasm SIMD, 1 thread', software: false, threads: 1, crossOriginIsolated: true, reason: '' });
    const { pictureId } = now().cards[0]!;
    expect(client.asked.filter(({ name }) => name === 'drop').slice(2)).toMatchObject([{ params: { pictureId, name: 'a.png' } }]);
  });

  it('closes pictures that cannot come back and forgets them in the worker', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('a.png')]);
    const card = now().cards[0]!;
    now().removeCard(card.pictureId);
    expect((card.info!.bitmap.close as ReturnType<typeof vi.fn>)).not.toHaveBeenCalled();
    now().clearPictures();
    expect((card.info!.bitmap.close as ReturnType<typeof vi.fn>)).toHaveBeenCalledOnce();
    expect(client.asked).toContainEqual({ name: 'forgetPicture', params: { pictureId: card.pictureId } });
    expect(now().selectedId).toBeNull();
  });

  const typed = (now: ReturnType<typeof studioOver>['now'], ...words: string[]) => { for (const word of words) now().setClassWord(word); };
  const captions = (complete: string, base: string, target: string) => ({ complete, base, target });
  const sample = (name: string): { file: Blob; name: string; captions: ReturnType<typeof captions> } => ({ ...file(name), captions: captions('a [V] dog on a beach', 'a dog on a beach', '[V] dog') });

  it('carries the class word into all captions of a sample, letter by letter', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    now().setClassWord('dog');
    await now().addFiles([sample('a.png'), sample('b.png')]);
    const id = now().cards[1]!.pictureId;
    now().setCaption(id, 'base', 'a dog on the sand');
    typed(now, 'do', 'd', '', 'a', 'al', 'alp', 'alpaca');
    expect(now().cards.map((card) => card.captions)).toEqual([captions('a [V] alpaca on a beach', 'a alpaca on a beach', '[V] alpaca'), captions('a [V] alpaca on a beach', 'a alpaca on the sand', '[V] alpaca')]);
    now().setClassWord('');
    expect(now().cards[0]!.captions.complete).toBe('a [V] alpaca on a beach');
    now().setKind('style');
    expect(now().cards[0]!.captions).toEqual(captions('a dog on a beach, [V]', 'a dog on a beach', '[V]'));
    now().setKind('instance');
    typed(now, 'p', 'pu', 'puppy');
    expect(now().cards[0]!.captions).toEqual(captions('a [V] puppy on a beach', 'a puppy on a beach', '[V] puppy'));
  });

  it('takes back a typed word, an edited caption, a crop and a removed picture, newest first', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    now().setClassWord('dog');
    await now().addFiles([sample('a.png'), sample('b.png')]);
    const before = now().cards;
    const [a, b] = before.map((card) => card.pictureId) as [string, string];
    typed(now, 'do', 'd', '', 'c', 'cat');
    for (const text of ['a', 'a c', 'a cat']) now().setCaption(a, 'base', text);
    now().setCrop(a, { x: 0, y: 0, size: 4 });
    now().removeCard(b);
    expect(now().cards).toHaveLength(1);
    expect(now().notices.at(-1)).toMatchObject({ text: '“b.png” is removed.', offer: { label: 'Undo' } });
    now().notices.at(-1)!.offer!.accept();
    expect(now().cards.map((card) => card.pictureId)).toEqual([a, b]);
    now().undo();
    expect(now().cards[0]!.crop).toEqual(before[0]!.crop);
    now().undo();
    expect(now().cards[0]!.captions).toEqual(captions('a [V] cat on a beach', 'a cat on a beach', '[V] cat'));
    now().undo();
    expect(now().recipe.classWord).toBe('dog');
    expect(now().cards.map((card) => card.captions)).toEqual(before.map((card) => card.captions));
    // an offer of what has been undone does nothing
    now().notices.at(-1)!.offer!.accept();
    expect(now().cards).toHaveLength(2);
    expect(client.asked.filter(({ name }) => name === 'forgetPicture')).toEqual([]);
  });

  it('lets captions follow the class word until they are written by hand', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('a.png'), file('b.png')]);
    now().setClassWord('dog');
    expect(now().cards[0]!.captions).toEqual({ complete: 'a [V] dog', base: 'a dog', target: '[V] dog' });
    const id = now().cards[1]!.pictureId;
    now().setCaption(id, 'complete', 'a [V] dog on a beach');
    now().setCaption(id, 'base', 'a hound on a beach');
    now().setClassWord('cake');
    expect(now().cards[1]!.captions).toEqual({ complete: 'a [V] cake on a beach', base: 'a hound on a beach', target: '[V] cake' });
    expect(now().prompt).toBe('a [V] cake in the snow');
  });
});

describe('drawing', () => {
  const live = async () => {
    const client = fakeClient();
    const made = studioOver(client);
    client.emit('ready', { base: 'embedded', sizeBytes: 1, imageSize: 8 });
    client.emit('run', fakeRun({ step: 30 }));
    made.now().setParams({ prompt: 'a [V] dog' });
    await Promise.resolve();
    made.timers.splice(0);
    return { client, ...made };
  };

  it('closes the old picture when the new one is there, and not before', async () => {
    const { client, now } = await live();
    const first = picture({ kind: 'concept' });
    client.emit('picture', first);
    expect(now().twins.concept).toBe(first);
    expect(first.bitmap.close).not.toHaveBeenCalled();
    client.emit('picture', picture({ kind: 'concept' }));
    expect(first.bitmap.close).toHaveBeenCalledOnce();
  });

  it('asks for drafts while the slider moves and draws once when it rests', async () => {
    const { client, now, timers } = await live();
    now().setBalance(0.4);
    now().setBalance(0.7);
    expect(client.balances).toEqual([0.4, 0.7]);
    expect(timers).toHaveLength(1);
    timers[0]!();
    expect(client.asked.filter(({ name }) => name === 'draw')).toMatchObject([{ params: { balance: 0.7, withBase: true } }]);
  });

  it('gives up a draw that the slider has left behind', async () => {
    const { client, now } = await live();
    void now().draw();
    expect(now().drawing).toBe(true);
    now().setBalance(0.4);
    expect(now().drawing).toBe(false);
    expect(client.asked.map(({ name }) => name).slice(-2)).toEqual(['draw', 'cancelDraw']);
  });

  it('keeps the slider inside its ends and still before anything is learned', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    now().setBalance(9);
    expect(now().balance).toBe(2);
    expect(client.balances).toEqual([]);
  });

  it('passes through full pictures of idle time without drawing again', async () => {
    const { client, now, timers } = await live();
    client.emit('picture', picture({ kind: 'anchor', balance: 0.5 }));
    now().setBalance(0.5);
    timers[0]!();
    expect(client.asked.some(({ name }) => name === 'draw')).toBe(false);
  });

  it('drops idle pictures when what they show has changed, and refuses those that come later', async () => {
    const { client, now } = await live();
    const anchor = picture({ kind: 'anchor', balance: 0.5 });
    client.emit('picture', anchor);
    now().setParams({ seed: 43 });
    expect(now().anchors).toHaveLength(0);
    expect(anchor.bitmap.close).toHaveBeenCalledOnce();
    const late = picture({ kind: 'anchor', balance: 1.5 });
    client.emit('picture', late);
    expect(now().anchors).toHaveLength(0);
    expect(late.bitmap.close).toHaveBeenCalledOnce();
    client.emit('picture', picture({ kind: 'anchor', balance: 1.5 }, { seed: 43 }));
    expect(now().anchors).toHaveLength(1);
    client.emit('run', fakeRun({ step: 31 }));
    expect(now().anchors).toHaveLength(0);
  });

  it('stops a drawing whose prompt has changed, and refuses its pictures', async () => {
    const { client, now } = await live();
    client.answers.draw = () => new Promise(() => {});
    void now().draw();
    now().setParams({ prompt: 'a [V] dog on grass' });
    expect(client.asked.at(-1)?.name).toBe('cancelDraw');
    client.emit('picture', picture({ kind: 'concept' }));
    client.emit('picture', picture({ kind: 'base' }));
    expect(now().twins).toEqual({ base: null, concept: null });
  });

  it('takes nothing unfinished for what is better, and no noise at all', async () => {
    const { client, now } = await live();
    const shown = () => [now().twins.concept?.state, now().twins.concept?.step];
    const send = (changes: Partial<PictureEvent>) => client.emit('picture', picture({ kind: 'concept' }, changes));
    send({ state: 'partial', step: 2 });
    expect(shown()).toEqual([undefined, undefined]);
    send({ state: 'draft', step: 0, steps: 0 });
    send({ state: 'draft-linear', step: 0, steps: 0 });
    send({ state: 'partial', step: 3 });
    expect(shown()).toEqual(['draft', 0]);
    send({ state: 'partial', step: 9 });
    send({ state: 'draft', step: 0, steps: 0 });
    expect(shown()).toEqual(['partial', 9]);
    send({});
    send({ state: 'partial', step: 19 });
    send({ state: 'draft', step: 0, steps: 0, atStep: 40 });
    expect(shown()).toEqual(['full', 20]);
    now().setBalance(0.4);
    send({ state: 'draft-linear', step: 0, steps: 0, balance: 0.4 });
    expect(shown()).toEqual(['draft-linear', 0]);
    send({ balance: 1 });
    expect(shown()).toEqual(['draft-linear', 0]);
  });

  it('draws the base anew where its picture has other steps, seed or guidance', async () => {
    const { client, now } = await live();
    const withBase = () => (client.asked.findLast(({ name }) => name === 'draw')!.params as { withBase: boolean }).withBase;
    client.emit('picture', picture({ kind: 'base' }, { balance: 0 }));
    await now().draw();
    expect(withBase()).toBe(false);
    for (const change of [{ steps: 10 }, { seed: 7 }, { guidance: 5 }, { negative: 'snow' }]) {
      now().setParams(change);
      await now().draw();
      expect(withBase()).toBe(true);
    }
  });

  it('shows a fault beside the prompt, but not one the user caused by stopping', async () => {
    const { client, now } = await live();
    client.answers.draw = () => { throw new Fault('prompt-invalid', 'Too long.'); };
    await now().draw();
    expect(now().drawFault?.code).toBe('prompt-invalid');
    client.answers.draw = () => { throw new Fault('aborted', 'Stopped.'); };
    await now().draw();
    expect(now().drawFault).toBeNull();
  });
});

describe('the run', () => {
  const row = (step: number): StepMetrics => ({ runId: 'run-1', step, stage: 'extractor', losses: { flow: 1 }, sigma: [0.5], figures: {}, gradientNorm: 1, stepMs: 1 });

  it('takes up the steps again after a resume instead of drawing them twice', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('run', fakeRun());
    for (const step of [1, 2, 3, 4, 3, 4, 5]) client.emit('metrics', row(step));
    expect(now().metrics.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
  });

  it('sends only readable pictures to be learned and says what is missing otherwise', async () => {
    const client = fakeClient({ learn: () => fakeRun() });
    reading(client);
    const { now } = studioOver(client);
    await now().learn();
    expect(now().runFault?.message).toBe('Drop at least one picture.');
    await now().addFiles([file('a.png'), file('b.txt')]);
    now().setClassWord('dog');
    await now().learn();
    const sent = client.asked.find(({ name }) => name === 'learn')!.params as { pictures: unknown[] };
    expect(sent.pictures).toHaveLength(1);
    expect(now().run?.runId).toBe('run-1');
  });

  it('brings a stored run back with its pictures and figures', async () => {
    const run = fakeRun({ phase: 'paused', step: 212 });
    const client = fakeClient({ continueRun: () => run, unfinishedRun: () => ({ run, metrics: [row(211), row(212)], strip: [], changed: null, measures: null, prompt: 'a [V] dog in the snow', seed: 42, ownedElsewhere: false, pictures: [{ pictureId: 'p', name: 'a.png', width: 1600, height: 900, crop: { x: 0, y: 0, size: 8 }, captions: { complete: 'a [V] dog', base: 'a dog', target: '[V] dog' }, bitmap: bitmap() }] }) });
    const { now } = studioOver(client);
    await now().findUnfinished();
    await now().continueRun();
    expect(client.asked).toContainEqual({ name: 'continueRun', params: { runId: 'run-1', takeOver: false } });
    expect(now()).toMatchObject({ run, unfinished: null, conceptName: 'Guide dog' });
    expect(now().metrics).toHaveLength(2);
    expect(now().prompt).toBe('a [V] dog in the snow');
    // the crop is in the picture's own pixels, not in those of the smaller bitmap
    expect(now().cards).toMatchObject([{ info: { width: 1600, height: 900 } }]);
  });
});

describe('what a button says', () => {
  it('is that it pauses, from the press until the step that is being made is done', async () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('run', fakeRun({ phase: 'learning', step: 40 }));
    await now().pause();
    expect(now().runAsked).toBe('pause');
    client.emit('run', fakeRun({ phase: 'learning', step: 41 }));
    expect(now().runAsked).toBe('pause');
    client.emit('run', fakeRun({ phase: 'paused', step: 41 }));
    expect(now().runAsked).toBeNull();
  });

  it('is nothing once the press failed', async () => {
    const client = fakeClient({ pause: () => { throw new Fault('busy', 'No run is going on.'); } });
    const { now } = studioOver(client);
    client.emit('run', fakeRun({ phase: 'learning', step: 40 }));
    await now().pause();
    expect(now()).toMatchObject({ runAsked: null, runFault: { code: 'busy' } });
  });

  it('is that pictures are read, from the press of Learn on, and nothing of it stays when that fails', async () => {
    let fail = (_: Error) => {};
    const client = fakeClient({ learn: () => new Promise((_resolve, reject) => { fail = reject; }) });
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('a.png')]);
    now().setClassWord('dog');
    const learning = now().learn();
    expect(now().run).toMatchObject({ phase: 'encoding', step: 0, totalSteps: 1050 });
    fail(new Fault('storage-full', 'No room.'));
    await learning;
    expect(now()).toMatchObject({ run: null, runFault: { code: 'storage-full' } });
  });
});

describe('a fault', () => {
  const ready = { base: 'embedded', sizeBytes: 1, imageSize: 8 };
  const of = (code: 'not-finite' | 'internal' | 'device-lost' | 'network') => ({ code, message: 'It broke.', remedy: 'Do this.' });

  it('of a run stands beside the run', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('ready', ready);
    client.emit('run', fakeRun({ phase: 'learning', step: 40 }));
    client.emit('fault', of('not-finite'));
    expect(now()).toMatchObject({ deviceFault: null, runFault: { code: 'not-finite' }, notices: [] });
  });

  it('that passes is a notice, and the page is not asked to reload', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('ready', ready);
    client.emit('fault', of('internal'));
    expect(now()).toMatchObject({ deviceFault: null, notices: [{ text: 'It broke. Do this.', tone: 'bad' }] });
  });

  it('of the device or of a base that does not come is the banner', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('fault', of('internal'));
    expect(now().deviceFault?.code).toBe('internal');
    client.emit('ready', ready);
    client.emit('fault', of('device-lost'));
    expect(now().deviceFault?.code).toBe('device-lost');
  });
});

describe('before anything is learned', () => {
  const draws = (client: FakeClient) => client.asked.filter(({ name }) => name === 'draw');

  it('draws the base once as soon as a picture, a prompt and the base are there, and again when the class word changes the prompt', async () => {
    const client = fakeClient();
    reading(client);
    const { now, timers } = studioOver(client);
    now().setClassWord('dog');
    await now().addFiles([file('a.png'), file('b.png')]);
    expect(draws(client)).toEqual([]);
    client.emit('ready', { base: 'embedded', sizeBytes: 1, imageSize: 8 });
    await vi.waitFor(() => expect(now().drawing).toBe(false));
    expect(draws(client)).toMatchObject([{ params: { prompt: 'a [V] dog in the snow', withBase: true } }]);
    client.emit('picture', picture({ kind: 'base' }, { prompt: 'a [V] dog in the snow' }));
    now().setClassWord('cake');
    timers.splice(0).forEach((run) => run());
    await vi.waitFor(() => expect(now().drawing).toBe(false));
    expect(draws(client)).toHaveLength(2);
    now().setParams({ prompt: 'a dog on a beach' });
    timers.splice(0).forEach((run) => run());
    expect(draws(client)).toHaveLength(2);
  });

  it('leaves no seed, negative prompt, steps or guidance behind for a new concept', () => {
    const { now } = studioOver(fakeClient());
    now().setParams({ seed: 7, negative: 'blur', steps: 8, guidance: 1, balance: 0.5 });
    now().newConcept();
    expect(now()).toMatchObject({ prompt: '', seed: 42, negative: '', steps: 20, guidance: 3, balance: 1 });
  });
});

describe('another tab', () => {
  it('leaves the run standing still here once it is taken over', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('run', fakeRun({ step: 30, secondsLeft: 9 }));
    client.emit('fault', { code: 'run-elsewhere', message: 'Taken over.', remedy: '' });
    expect(now().run).toMatchObject({ phase: 'paused', step: 30, secondsLeft: null });
  });
});

describe('a worker that is replaced', () => {
  const compute = { backend: 'webgpu' as const, adapter: 'nvidia', software: false, threads: 1, crossOriginIsolated: true, reason: '' };

  it('is told of in one line meanwhile and in one notice afterwards, and leaves every picture', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    const shown = picture({ kind: 'concept' });
    now().setParams({ prompt: shown.prompt });
    client.emit('picture', shown);
    client.emit('run', fakeRun({ step: 40 }));
    client.emit('restarting', { message: 'The browser ended the worker.' });
    expect(now()).toMatchObject({ restarting: 'The browser ended the worker.', deviceFault: null });
    client.emit('restarted', { run: fakeRun({ step: 36 }) });
    expect(now().restarting).toBeNull();
    expect(now().notices.map(({ text }) => text)).toEqual(['The browser ended the worker. “Guide dog” goes on from step 36.']);
    expect(now().twins.concept).toBe(shown);
    expect(shown.bitmap.close).not.toHaveBeenCalled();
  });

  it('says when another backend computes from there on, and why', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('compute', compute);
    client.emit('compute', compute);
    expect(now().notices).toEqual([]);
    client.emit('compute', { ...compute, backend: 'wasm', reason: 'WebGPU could not be had again.' });
    expect(now().notices.map(({ text }) => text)).toEqual(['WebAssembly computes from here on. WebGPU could not be had again.']);
  });
});

describe('measuring', () => {
  it('says how long it takes and can be cancelled', async () => {
    const client = fakeClient();
    let signal: AbortSignal | undefined;
    const request = client.request.bind(client);
    client.request = ((name: 'measure', params: never, options?: { signal?: AbortSignal }) => {
      if (name !== 'measure') return request(name, params);
      signal = options?.signal;
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Fault('aborted', 'Stopped.'))));
    }) as typeof client.request;
    const { now } = studioOver(client);
    const measured = now().measure();
    client.emit('measuring', { done: 6, total: 24 });
    expect(now().measuring).toMatchObject({ done: 6, total: 24, secondsLeft: expect.any(Number) as number });
    now().cancelMeasure();
    await measured;
    expect(signal?.aborted).toBe(true);
    expect(now()).toMatchObject({ measuring: null, measureFault: null, measures: null });
  });
});

describe('recipe and link', () => {
  it('keeps a refused value out of the recipe and names the reason', () => {
    const { now } = studioOver(fakeClient());
    now().setField('rank', 0);
    expect(now().recipe.rank).toBe(16);
    expect(now().recipeProblems.rank).toContain('between 1 and 64');
    now().setField('rank', 8);
    expect(now().recipe.rank).toBe(8);
    expect(now().recipeProblems.rank).toBeUndefined();
  });

  it('writes changes to the fragment and reads them back, refusing a bad link in words', () => {
    const { studio, now } = studioOver(fakeClient());
    const written: string[] = [];
    followFragment(studio, (fragment) => written.push(fragment));
    now().setField('eta', 0);
    expect(written).toEqual(['r.eta=0']);
    now().readLink('r.eta=99');
    expect(now().linkFault).toMatchObject({ code: 'recipe-invalid', subject: 'eta' });
    expect(now().recipe.eta).toBe(0);
  });

  it('starts with the class word’s prompt when a link names only the class', () => {
    const { now } = studioOver(fakeClient());
    now().readLink('r.classWord=ghost');
    expect(now().prompt).toBe('a [V] ghost in the snow');
    now().readLink('r.classWord=ghost&prompt=a+%5BV%5D+ghost+on+a+beach');
    expect(now().prompt).toBe('a [V] ghost on a beach');
  });
});

describe('the engine’s figures', () => {
  const ready = { base: 'embedded', sizeBytes: 1, imageSize: 128 };
  const asked = (client: FakeClient) => client.asked.filter(({ name }) => name === 'trace');

  it('are asked for once shown, of each worker when its base is in', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('ready', ready);
    expect(asked(client)).toEqual([]);
    now().showHud();
    client.emit('ready', ready);
    expect(asked(client)).toEqual([{ name: 'trace', params: { on: true } }, { name: 'trace', params: { on: true } }]);
  });
});

describe('room on the device', () => {
  const asking = (answer: boolean) => {
    const client = fakeClient({ learn: () => fakeRun(), keep: () => ({ name: 'Rex' }) as never });
    client.answers.storage = () => ({ usageBytes: 1, quotaBytes: 2, persisted: false, baseBytes: 1, conceptBytes: 0 });
    reading(client);
    const persist = vi.fn(async () => answer);
    const { now } = studioOver(client, { persist });
    return { persist, now };
  };

  it.each([[true, /keeps what is stored here/], [false, /may delete what is stored here/]] as const)('is asked for at the first Learn or Keep, once, and the answer %s is said', async (answer, words) => {
    const { persist, now } = asking(answer);
    await now().addFiles([file('a.png')]);
    now().setClassWord('dog');
    expect(persist).not.toHaveBeenCalled();
    await now().learn();
    await now().keep();
    await vi.waitFor(() => expect(now().notices.map(({ text }) => text)).toContainEqual(expect.stringMatching(words)));
    expect(persist).toHaveBeenCalledOnce();
  });
});
