import { describe, expect, it } from 'vitest';
import type { StepMetrics } from '../protocol/run';
import { Fault } from '../protocol/faults';
import { fakeClient, fakeRun } from '../testing/studio/fakeClient';
import { bitmap, file, picture, reading, studioOver } from '../testing/studio/studioOver';

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

it('hands a run over as an archive, or says why not, beside what else goes on', async () => {
  const archive = { file: new Blob(['PK']), fileName: 'dog-to-train.zip' };
  const client = fakeClient({ handOver: ({ runId }: { runId: string }) => { if (runId !== 'run-1') throw new Fault('run-missing', 'It is gone.'); return archive; } });
  const { now } = studioOver(client);
  expect(await now().handOver('run-1')).toEqual(archive);
  expect(await now().handOver('run-2')).toMatchObject({ code: 'run-missing', message: 'It is gone.' });
  expect(now().runFault).toBeNull();
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
