import { afterEach, describe, expect, it } from 'vitest';
import { openClient, type Client, type WorkerLike } from './client';
import { Fault } from './faults';
import { serve, type Host } from './host';
import type { FromDrafts, Handlers, RunInfo, ToDrafts } from './messages';

const compute = { backend: 'cpu' as const, adapter: 'test', software: true, threads: 1, crossOriginIsolated: false, reason: '' };
const run = (changes: Partial<RunInfo>): RunInfo => ({ runId: 'r', phase: 'student', step: 7, ...changes }) as RunInfo;
const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Workers over real message channels; `crash` does what a dying worker does to its page. */
function workers(handlers: Partial<Handlers>) {
  const ports: MessagePort[] = [];
  const sessions: { host: Host; crash(message: string): void }[] = [];
  const moves: (ToDrafts & { kind: 'balance' })[] = [];
  let answerDraft = (_: FromDrafts) => {};
  let crashDrafts = () => {};
  const channel = () => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    port2.start();
    return { port1, port2 };
  };
  const asWorker = (port: MessagePort, onError: (listener: (event: MessageEvent) => void) => void): WorkerLike => ({
    postMessage: (message, transfer) => port.postMessage(message, transfer ?? []),
    addEventListener(type, listener) {
      if (type === 'error') return onError(listener);
      port.addEventListener('message', listener as EventListener);
      port.start();
    },
    terminate: () => port.close(),
  });
  const client = openClient({
    backend: 'cpu', threads: null, baseUrl: 'base/',
    session() {
      const { port1, port2 } = channel();
      let fail = (_: MessageEvent) => {};
      const host = serve(port2 as never, () => ({ open: async () => ({ compute }), ...handlers }) as Handlers);
      sessions.push({ host, crash: (message) => fail({ message } as unknown as MessageEvent) });
      return asWorker(port1, (listener) => { fail = listener; });
    },
    drafts() {
      const { port1, port2 } = channel();
      port2.addEventListener('message', (({ data }: MessageEvent<ToDrafts>) => { if (data.kind === 'balance') moves.push(data); else ports.push(data.port); }) as EventListener);
      const worker = asWorker(port1, () => {});
      return {
        ...worker,
        addEventListener(type, listener) {
          if (type === 'message') answerDraft = (message) => listener({ data: message } as MessageEvent);
          else crashDrafts = () => listener({} as MessageEvent);
        },
      };
    },
  });
  return { client, sessions, moves, answer: (message: FromDrafts) => answerDraft(message), crashDrafts: () => crashDrafts(), close: () => { client.close(); ports.forEach((port) => port.close()); } };
}

describe('client and host', () => {
  let made: ReturnType<typeof workers> | null = null;
  const start = async (handlers: Partial<Handlers> = {}): Promise<ReturnType<typeof workers> & { client: Client }> => {
    made = workers(handlers);
    await made.client.open();
    return made;
  };
  afterEach(() => made?.close());

  it('answers each request with its own result', async () => {
    const { client } = await start({ renameConcept: async ({ conceptId, name }) => ({ conceptId, name }) as never });
    const both = await Promise.all(['a', 'b'].map((name) => client.request('renameConcept', { conceptId: name, name })));
    expect(both.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('says so when the draft worker dies; the session goes on', async () => {
    const { client, crashDrafts } = await start({ vocabulary: async () => ({ words: ['dog'] }) });
    const faults: string[] = [];
    client.on('fault', ({ code, message }) => faults.push(`${code} ${message}`));
    crashDrafts();
    expect(faults).toEqual(['worker-crashed The drafts under the slider stopped.']);
    await expect(client.request('vocabulary', undefined)).resolves.toEqual({ words: ['dog'] });
  });

  it('brings a fault across with its code, remedy and subject', async () => {
    const { client } = await start({ pause: async () => { throw new Fault('busy', 'No run.', 'Start one.', { subject: 'x' }); } });
    const error = await client.request('pause', undefined).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({ code: 'busy', message: 'No run.', remedy: 'Start one.', subject: 'x' });
  });

  it('aborts the handler of an aborted request, and not another one', async () => {
    const seen: AbortSignal[] = [];
    const { client } = await start({ draw: (_, signal) => new Promise((_resolve, reject) => { seen.push(signal); signal.addEventListener('abort', () => reject(new Fault('aborted', 'Stopped.'))); }) });
    const controller = new AbortController();
    const first = client.request('draw', {} as never, { signal: controller.signal }).catch((error: Fault) => error.code);
    void client.request('draw', {} as never).catch(() => undefined);
    await soon();
    controller.abort();
    expect(await first).toBe('aborted');
    expect(seen.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  it('hands events to those who still listen', async () => {
    const { client, sessions } = await start();
    const steps: number[] = [];
    const end = client.on('drawing', ({ step }) => steps.push(step));
    sessions[0]!.host.emit('drawing', { step: 1, steps: 2 });
    await soon();
    end();
    sessions[0]!.host.emit('drawing', { step: 2, steps: 2 });
    await soon();
    expect(steps).toEqual([1]);
  });

  it('lets only the newest move of the slider on the screen', async () => {
    const { client, moves, answer } = await start();
    const shown: number[] = [];
    client.on('picture', ({ balance }) => shown.push(balance));
    client.balance(0.1);
    client.balance(0.2);
    await soon();
    // the channel of the page's side: a fake bitmap with its `close` would not cross a real one
    let closed = 0;
    for (const { balance, revision } of moves) answer({ kind: 'draft', state: 'draft', bitmap: { close: () => { closed++; } } as never, balance, revision, elapsedMs: 1 });
    expect(moves.map(({ balance }) => balance)).toEqual([0.1, 0.2]);
    expect(shown).toEqual([0.2]);
    expect(closed).toBe(1);
  });

  it.each([['student', ['continueRun']], ['paused', ['continueRun', 'pause']], ['failed', []]] as const)('restarts a crashed worker; a run that was %s: %j', async (phase, expected) => {
    const asked: string[] = [];
    const { client, sessions } = await start({
      draw: () => new Promise(() => {}),
      continueRun: async ({ runId, takeOver }) => { asked.push('continueRun'); expect([runId, takeOver]).toEqual(['r', true]); return run({}); },
      pause: async () => void asked.push('pause'),
    });
    const faults: string[] = [];
    client.on('fault', ({ code }) => faults.push(code));
    sessions[0]!.host.emit('run', run({ phase }));
    const waiting = client.request('draw', {} as never).catch((error: Fault) => error.code);
    await soon();
    sessions[0]!.crash('out of memory');
    expect(await waiting).toBe('worker-crashed');
    await soon();
    expect(sessions).toHaveLength(2);
    expect(faults).toEqual(['worker-crashed']);
    expect(asked).toEqual(expected);
  });

  it('treats a lost device as a crash, and gives up on a worker that keeps dying', async () => {
    const { client, sessions } = await start();
    const faults: string[] = [];
    client.on('fault', ({ code }) => faults.push(code));
    for (let i = 0; i < 5; i++) {
      sessions.at(-1)!.host.emit('fault', { code: 'device-lost', message: '', remedy: '' });
      await soon();
    }
    expect(sessions).toHaveLength(4);
    expect(faults).toHaveLength(4);
    await expect(client.request('pause', undefined)).rejects.toMatchObject({ code: 'worker-crashed' });
  });
});
