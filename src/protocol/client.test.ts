import { afterEach, describe, expect, it } from 'vitest';
import { openClient, type Client } from './client';
import { Fault } from './faults';
import { serve, type Host } from './host';
import type { FromDrafts, ToDrafts } from './drafts';
import type { Handlers } from './messages';
import type { WorkerLike } from './wire';

const compute = { backend: 'cpu' as const, adapter: 'test', software: true, threads: 1, crossOriginIsolated: false, reason: '' };
const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Workers over real message channels. What happens when they die is in recovery.test.ts. */
function workers(handlers: Partial<Handlers>) {
  const ports: MessagePort[] = [];
  const sessions: { host: Host }[] = [];
  const moves: (ToDrafts & { kind: 'balance' })[] = [];
  let answerDraft = (_: FromDrafts) => {};
  const channel = () => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    port2.start();
    return { port1, port2 };
  };
  const asWorker = (port: MessagePort): WorkerLike => ({
    postMessage: (message, transfer) => port.postMessage(message, transfer ?? []),
    addEventListener(type, listener) {
      if (type === 'error') return;
      port.addEventListener('message', listener as EventListener);
      port.start();
    },
    terminate: () => port.close(),
  });
  const client = openClient({
    backend: 'cpu', threads: null, baseUrl: 'base/', base: 'embedded', room: 'all',
    session() {
      const { port1, port2 } = channel();
      sessions.push({ host: serve(port2 as never, () => ({ open: async () => ({ compute }), ...handlers }) as Handlers) });
      return asWorker(port1);
    },
    drafts() {
      const { port1, port2 } = channel();
      port2.addEventListener('message', (({ data }: MessageEvent<ToDrafts>) => { if (data.kind === 'balance') moves.push(data); else if (data.kind === 'open') ports.push(data.port); }) as EventListener);
      return {
        ...asWorker(port1),
        addEventListener(type, listener) {
          const before = answerDraft;
          if (type === 'message') answerDraft = (message) => { before(message); listener({ data: message } as MessageEvent); };
        },
      };
    },
  });
  return { client, sessions, moves, answer: (message: FromDrafts) => answerDraft(message), close: () => { client.close(); ports.forEach((port) => port.close()); } };
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
    for (const { balance, revision } of moves) answer({ kind: 'draft', state: 'draft', bitmap: { close: () => { closed++; } } as never, balance, revision, elapsedMs: 1, of: { prompt: 'p', negative: '', seed: 1, guidance: 3, kind: 'instance', atStep: null, object: null } });
    expect(moves.map(({ balance }) => balance)).toEqual([0.1, 0.2]);
    expect(shown).toEqual([0.2]);
    expect(closed).toBe(1);
  });
});
