/** What the page does when a worker dies, in every way it can: fake workers that answer at once, faked timers, no locks but fake ones. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openClient, type Client } from './client';
import { Fault } from './faults';
import { transferables, type WorkerLike } from './wire';
import type { Compute } from './compute';
import type { FromDrafts } from './drafts';
import type { EventName, RequestName } from './messages';
import type { RunInfo } from './run';

const gpu: Compute = { backend: 'webgpu', adapter: 'test', software: false, threads: 1, crossOriginIsolated: false, reason: '' };
const run = (changes: Partial<RunInfo> = {}): RunInfo => ({ runId: 'r', phase: 'learning', stage: 'student', step: 7, ...changes }) as RunInfo;
/** Lets answers and what follows from them happen; timers stand still. */
const settle = async () => { for (let n = 0; n < 20; n++) await Promise.resolve(); };

type Answer = unknown | ((params: never) => unknown);
/** What a worker does not answer. */
const silence = Symbol('silence');

class FakeWorker implements WorkerLike {
  asked: { id: number; name: RequestName; params: never }[] = [];
  said: unknown[] = [];
  terminated = false;
  deaf = false;
  private readonly listeners = { message: [] as ((event: MessageEvent) => void)[], error: [] as ((event: MessageEvent) => void)[] };
  constructor(private readonly answers: Partial<Record<RequestName, Answer>>) {}
  addEventListener(type: 'message' | 'error', listener: (event: MessageEvent) => void) { this.listeners[type].push(listener); }
  terminate() { this.terminated = true; }
  postMessage(message: unknown) {
    transferables(message);
    this.said.push(message);
    const given = message as { alive?: string; id?: number; name?: RequestName; params?: never };
    if (given.alive === 'ask' && !this.deaf) this.tell({ alive: 'here' });
    if (given.name === undefined) return;
    this.asked.push(given as FakeWorker['asked'][number]);
    const answer = this.answers[given.name];
    const ok = typeof answer === 'function' ? (answer as (params: unknown) => unknown)(given.params) : answer;
    if (ok === silence || this.deaf) return;
    queueMicrotask(() => this.tell(ok instanceof Fault ? { id: given.id, fault: { code: ok.code, message: ok.message, remedy: '' } } : { id: given.id, ok }));
  }
  tell(data: unknown) { if (!this.terminated) for (const listener of this.listeners.message) listener({ data } as MessageEvent); }
  event(name: EventName, data: unknown) { this.tell({ event: name, data }); }
  fail(message: string) { for (const listener of this.listeners.error) listener({ message } as unknown as MessageEvent); }
  names() { return this.asked.map(({ name }) => name); }
}

let clients: Client[] = [];
function studio(answers: Partial<Record<RequestName, Answer>> = {}) {
  const sessions: FakeWorker[] = [];
  const drafts: FakeWorker[] = [];
  const all = { open: { compute: gpu }, continueRun: ({ runId }: { runId: string }) => run({ runId, step: 5 }), ...answers };
  const make = (list: FakeWorker[]) => () => { const worker = new FakeWorker(all); list.push(worker); return worker; };
  const client = openClient({ backend: 'auto', threads: null, baseUrl: 'base/', base: 'embedded', room: 'all', session: make(sessions), drafts: make(drafts) });
  clients.push(client);
  const heard: string[] = [];
  client.on('fault', ({ message }) => heard.push(`fault: ${message}`));
  client.on('restarting', ({ message }) => heard.push(`restarting: ${message}`));
  client.on('restarted', ({ run: goes }) => heard.push(`restarted: ${goes?.runId ?? 'nothing'}`));
  const now = () => sessions.at(-1)!;
  return { client, sessions, drafts, heard, now, async open() { const opened = client.open(); await settle(); return opened; }, async kill() { now().fail('boom'); await settle(); } };
}

beforeEach(() => { vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }); });
afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('a session worker that dies', () => {
  it.each([['learning', 'go'], ['encoding', 'go'], ['paused', 'pause'], ['stopped', 'stop'], ['finished', 'go']] as const)('is replaced, and a run that was %s is taken up so that it is that again', async (phase, wish) => {
    const { open, kill, now, sessions, heard } = studio();
    await open();
    now().event('run', run({ phase }));
    await kill();
    expect(sessions.map(({ terminated }) => terminated)).toEqual([true, false]);
    expect(now().names()).toEqual(['open', 'continueRun']);
    expect(now().asked[1]!.params).toEqual({ runId: 'r', takeOver: true, wish });
    expect(heard).toEqual(['restarting: The worker stopped: boom.', 'restarted: r']);
  });

  it('does not take up a run that failed or that another tab has', async () => {
    for (const end of [(worker: FakeWorker) => worker.event('run', run({ phase: 'failed' })), (worker: FakeWorker) => {
      worker.event('run', run());
      worker.event('fault', { code: 'run-elsewhere', message: '', remedy: '' });
      worker.event('run', run({ phase: 'stopped' }));
    }]) {
      const { open, kill, now } = studio();
      await open();
      end(now());
      await kill();
      expect(now().names()).toEqual(['open']);
    }
  });

  it('gets its opened concept again, or the one its finished run was kept as', async () => {
    const { client, open, kill, now } = studio({ openConcept: {}, keep: { conceptId: 'kept' } });
    await open();
    await client.request('openConcept', { conceptId: 'c' });
    await kill();
    expect(now().asked.at(-1)).toMatchObject({ name: 'openConcept', params: { conceptId: 'c' } });
    now().event('run', run({ phase: 'finished' }));
    await client.request('keep', { name: 'x' });
    await kill();
    expect(now().asked.at(-1)).toMatchObject({ name: 'openConcept', params: { conceptId: 'kept' } });
  });

  it('takes nothing up that was left, or that a card has taken the place of', async () => {
    const { client, open, kill, now } = studio({ openConcept: {}, leave: null, openCard: {} });
    await open();
    now().event('run', run());
    await client.request('leave', undefined);
    await kill();
    expect(now().names()).toEqual(['open']);
    await client.request('openConcept', { conceptId: 'c' });
    await client.request('openCard', { cardId: 'k' });
    await kill();
    expect(now().names()).toEqual(['open']);
  });

  it('answers from its successor what it had been asked, after the run is back, and once', async () => {
    let alive = false;
    const { client, open, kill, now } = studio({ draw: () => (alive ? { elapsedMs: 3 } : silence), keep: silence });
    await open();
    now().event('run', run());
    const [drawn, kept] = [client.request('draw', {} as never), client.request('keep', { name: 'x' }).catch((error: Fault) => error.code)];
    alive = true;
    await kill();
    expect(now().names()).toEqual(['open', 'continueRun', 'draw']);
    await expect(drawn).resolves.toEqual({ elapsedMs: 3 });
    expect(await kept).toBe('worker-crashed');
    alive = false;
    const twice = client.request('draw', {} as never).catch((error: Fault) => error.code);
    await kill();
    await kill();
    expect(await twice).toBe('worker-crashed');
  });

  it('keeps what is asked meanwhile until the run is back, unless it is given up', async () => {
    let goOn = (_: RunInfo) => {};
    const { client, open, kill, now } = studio({ continueRun: silence, vocabulary: { words: ['dog'] } });
    await open();
    now().event('run', run());
    await kill();
    const waiting = client.request('vocabulary', undefined);
    const controller = new AbortController();
    const aborted = client.request('draw', {} as never, { signal: controller.signal }).catch((error: Fault) => error.code);
    controller.abort();
    expect(await aborted).toBe('aborted');
    expect(now().names()).toEqual(['open', 'continueRun']);
    goOn = (info) => now().tell({ id: now().asked[1]!.id, ok: info });
    goOn(run());
    await settle();
    expect(now().names()).toEqual(['open', 'continueRun', 'vocabulary']);
    await expect(waiting).resolves.toEqual({ words: ['dog'] });
  });

  it('before it has answered “learn”: the stored run answers it; one not stored is told of to whoever asked', async () => {
    const stored = studio({ learn: silence });
    await stored.open();
    const learned = stored.client.request('learn', { runId: 'new' } as never);
    await stored.kill();
    await stored.kill();
    expect(stored.now().asked.at(-1)!.params).toEqual({ runId: 'new', takeOver: true, wish: 'go' });
    expect(await learned).toMatchObject({ runId: 'new' });

    const lost = studio({ learn: silence, continueRun: () => new Fault('run-missing', 'Not stored.') });
    await lost.open();
    const failed = lost.client.request('learn', { runId: 'new' } as never).catch((error: Fault) => error.code);
    await lost.kill();
    expect(await failed).toBe('run-missing');
    expect(lost.heard.filter((line) => line.startsWith('fault'))).toEqual([]);
  });

  it('while it takes a run up is replaced again, and the first restart says nothing more', async () => {
    let deaths = 0;
    const { open, kill, now, heard } = studio({ continueRun: () => (++deaths === 1 ? silence : run()) });
    await open();
    now().event('run', run());
    await kill();
    await kill();
    expect(heard).toEqual(['restarting: The worker stopped: boom.', 'restarting: The worker stopped: boom.', 'restarted: r']);
  });

  it('during the very first opening is replaced, and the opening still ends well', async () => {
    let answer: unknown = silence;
    const { client, now } = studio({ open: () => answer });
    const opened = client.open();
    await settle();
    answer = { compute: gpu };
    now().fail('boom');
    await settle();
    await expect(opened).resolves.toEqual({ compute: gpu });
  });
});

describe('silence', () => {
  it('of a minute is a death, however long the answers took before', async () => {
    const { open, now, sessions, heard } = studio();
    await open();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(sessions).toHaveLength(1);
    now().deaf = true;
    await vi.advanceTimersByTimeAsync(55_000);
    now().deaf = false;
    await vi.advanceTimersByTimeAsync(55_000);
    expect(sessions).toHaveLength(1);
    now().deaf = true;
    await vi.advanceTimersByTimeAsync(66_000);
    expect(sessions).toHaveLength(2);
    expect(heard[0]).toBe('restarting: The worker did not answer for a minute.');
  });

  it('of a worker that tells of steps is none', async () => {
    const { open, now, sessions } = studio();
    await open();
    now().deaf = true;
    for (let step = 1; step < 30; step++) {
      await vi.advanceTimersByTimeAsync(50_000);
      now().event('run', run({ step }));
    }
    expect(sessions).toHaveLength(1);
  });

  it('is known at once where the browser has locks, and our own terminating is no death', async () => {
    const granted = new Map<string, () => void>();
    const locks = { request: (name: string, { signal }: { signal: AbortSignal }, free: () => void) => new Promise<void>((_, reject) => {
      granted.set(name, free);
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    }) };
    vi.stubGlobal('navigator', { locks });
    const { open, now, sessions, client, heard } = studio();
    await open();
    now().tell({ alive: 'lock', name: 'first' });
    granted.get('first')!();
    await settle();
    expect(sessions).toHaveLength(2);
    expect(heard[0]).toBe('restarting: The browser ended the worker.');
    now().tell({ alive: 'lock', name: 'second' });
    client.close();
    granted.get('second')!();
    await settle();
    expect(sessions).toHaveLength(2);
  });
});

describe('a device that is lost', () => {
  const lose = async (worker: FakeWorker, code = 'device-lost') => { worker.event('fault', { code, message: 'Gone.', remedy: '' }); await settle(); };
  const opening = (worker: FakeWorker) => worker.asked[0]!.params as { before: Compute | null; avoid: string };

  it.each(['device-lost', 'out-of-memory', 'worker-crashed'])('by “%s” restarts the worker, which is told what there was before', async (code) => {
    const { open, now, heard } = studio();
    await open();
    expect(opening(now())).toMatchObject({ before: null, avoid: '' });
    now().event('run', run());
    await lose(now(), code);
    expect(opening(now())).toMatchObject({ before: gpu, avoid: '' });
    expect(heard).toEqual(['restarting: Gone.', 'restarted: r']);
  });

  it('leaves half of the room for weights each time that its memory was not enough', async () => {
    const { open, now } = studio();
    await open();
    const room = () => (now().asked[0]!.params as { room: unknown }).room;
    expect(room()).toEqual({ weights: 'all', share: 1 });
    for (const [code, share] of [['out-of-memory', 0.5], ['device-lost', 0.5], ['out-of-memory', 0.25]] as const) {
      vi.advanceTimersByTime(120_000);
      now().event('run', run({ phase: 'learning', step: 100 / share }));
      await lose(now(), code);
      expect(room()).toEqual({ weights: 'all', share });
    }
  });

  it('has what failed with it asked again', async () => {
    let answer: unknown = new Fault('device-lost', 'Gone.');
    const { client, open, now } = studio({ draw: () => answer });
    await open();
    const drawn = client.request('draw', {} as never);
    await settle();
    answer = { elapsedMs: 1 };
    await lose(now());
    await expect(drawn).resolves.toEqual({ elapsedMs: 1 });
  });

  it('three times within a minute is not tried again, even by a run that gets on', async () => {
    const { open, now } = studio();
    await open();
    for (let step = 1; step <= 3; step++) {
      now().event('run', run({ step: step * 10 }));
      await vi.advanceTimersByTimeAsync(19_000);
      await lose(now());
    }
    expect(opening(now()).avoid).toBe('The graphics device failed 3 times within a minute. Reload the page to try WebGPU again.');
  });

  it('now and then is taken again each time', async () => {
    const { open, now } = studio();
    await open();
    for (let step = 1; step <= 9; step++) {
      now().event('run', run({ step: step * 10 }));
      await vi.advanceTimersByTimeAsync(31_000);
      await lose(now());
      expect(opening(now()).avoid).toBe('');
    }
  });

  it('and did not come back stays left: the next restart keeps to wasm', async () => {
    let compute = gpu;
    const { open, now, kill } = studio({ open: () => ({ compute }) });
    await open();
    compute = { ...gpu, backend: 'wasm', reason: 'WebGPU could not be had again.' };
    await lose(now());
    await kill();
    expect(opening(now()).avoid).toBe('WebGPU could not be had again.');
  });
});

describe('deaths without end', () => {
  it('are forgiven while the run gets further, and counted while it does not', async () => {
    const { open, now, kill, sessions, heard, client } = studio({ open: { compute: { ...gpu, backend: 'wasm' } } });
    await open();
    for (let step = 1; step <= 8; step++) {
      now().event('run', run({ step }));
      await kill();
    }
    expect(sessions).toHaveLength(9);
    for (let n = 0; n < 3; n++) {
      await vi.advanceTimersByTimeAsync(120_000);
      now().event('run', run({ step: 8 }));
      await kill();
    }
    expect(heard.at(-1)).toBe('fault: The worker stopped: boom. That was 4 times in a row without getting any further.');
    expect(sessions).toHaveLength(11);
    await expect(client.request('pause', undefined)).rejects.toMatchObject({ code: 'worker-crashed' });
  });

  it('on WebGPU lead to wasm first', async () => {
    const { open, now, kill } = studio();
    await open();
    for (let n = 0; n < 4; n++) await kill();
    expect((now().asked[0]!.params as { avoid: string }).avoid).toContain('stopped 4 times in a row on WebGPU');
  });

  it('before anything was opened fail the opening', async () => {
    const { client, kill } = studio({ open: silence });
    const opened = client.open().catch((error: Fault) => error.code);
    await settle();
    for (let n = 0; n < 4; n++) await kill();
    expect(await opened).toBe('worker-crashed');
  });
});

describe('a draft worker that dies', () => {
  const draft = (revision: number): FromDrafts => ({ kind: 'draft', state: 'draft', bitmap: { close: vi.fn() } as never, balance: 0.5, revision, elapsedMs: 1, of: { prompt: 'p', negative: '', seed: 1, guidance: 3, kind: 'instance', atStep: null, object: null } });

  it('is replaced in silence, fed by the session and asked the last move again', async () => {
    const { client, open, now, drafts, heard } = studio();
    await open();
    client.balance(0.2);
    drafts[0]!.tell(draft(1));
    client.balance(0.5);
    drafts[0]!.fail('');
    await settle();
    expect(drafts.map(({ terminated }) => terminated)).toEqual([true, false]);
    expect(now().names()).toEqual(['open', 'attachDrafts']);
    expect(drafts[1]!.said.filter((message) => (message as { kind?: string }).kind)).toMatchObject([{ kind: 'open' }, { kind: 'balance', balance: 0.5, revision: 2 }]);
    expect(heard).toEqual([]);
  });

  it('again and again is left dead, which is said; learning goes on', async () => {
    const { open, drafts, sessions, heard } = studio();
    await open();
    for (let n = 0; n < 4; n++) { drafts.at(-1)!.fail(''); await settle(); }
    expect(drafts).toHaveLength(4);
    expect(sessions).toHaveLength(1);
    expect(heard).toEqual(['fault: The drafts under the slider stopped.']);
  });
});
