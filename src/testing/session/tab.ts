/**
 * A tab without a browser: the page's store over the real client, the real session and the real draft worker on the other ends of
 * message channels, a tiny base, IndexedDB in memory. What a test does to the store is what the page does.
 */
import 'fake-indexeddb/auto';
import { readFile } from 'node:fs/promises';
import { openClient } from '../../protocol/client';
import { serve } from '../../protocol/host';
import type { PictureEvent } from '../../protocol/pictures';
import type { RequestName } from '../../protocol/messages';
import type { Wire, WorkerLike } from '../../protocol/wire';
import type { Environment, StudioClient } from '../../state/client';
import { followDataSet } from '../../state/dataSet';
import { followObject } from '../../state/objects';
import { BASE_KEY, usesEmbedded } from '../../state/models';
import { createStudio } from '../../state/studio';
import type { StudioState } from '../../state/slice';
import { serveDrafts } from '../../worker/drafting';
import type { Platform } from '../../worker/platform';
import { makeSession } from '../../worker/session';
import { wasmFolder } from '../nodeBackend';
import { nodeRaster, OpenBitmaps } from './raster';
import { tinyStored } from './tinyFiles';

export interface Tab {
  now(): StudioState;
  /** Every picture the page was sent, in order. */
  pictures: PictureEvent[];
  /** As the store asks the session. */
  request: StudioClient['request'];
  /** Names of the requests so far. */
  asked: { name: RequestName; params: unknown }[];
  bitmaps: OpenBitmaps;
  /** How often the page was to begin anew. */
  reloads(): number;
  /** Waits until the store says so. */
  until(what: string, is: (state: StudioState) => boolean, timeoutMs?: number): Promise<StudioState>;
  /** The session's worker dies on the spot; another takes its place. */
  crash(): void;
  /** Puts what the session does to an end, as the end of its thread would. */
  close(): Promise<void>;
}
export interface TabOptions { locks?: LockManager; platform?: Partial<Platform>; fragment?: string; /** What the page remembers; it says which base is opened. */ memory?: Map<string, string> }

let ids = 0;

export async function openTab({ locks, platform: changes, fragment = '', memory }: TabOptions = {}): Promise<Tab> {
  const platform: Platform = { raster: nodeRaster, locks: locks ?? null, wasmPaths: wasmFolder, fetch: async () => new Response(null, { status: 404 }), ensureBase: (_db, id) => tinyStored(id), ...changes };
  const bitmaps = new OpenBitmaps();
  const ports: MessagePort[] = [];
  let reloads = 0;
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const pictures: PictureEvent[] = [];
  const asked: Tab['asked'] = [];

  let crash = () => {};
  const worker = (begin: (wire: Wire) => void, onCrash = (_: () => void) => {}): WorkerLike => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    begin(port2 as unknown as Wire);
    port2.start();
    return {
      postMessage: (message, transfer) => port1.postMessage(message, transfer ?? []),
      addEventListener(type, listener) {
        if (type === 'error') return onCrash(() => { port2.close(); listener({ message: 'it was ended' } as unknown as MessageEvent); });
        // one page, one bitmap: the first listener's is everyone's
        port1.addEventListener('message', ((event: MessageEvent) => listener({ data: received(event) } as MessageEvent)) as EventListener);
        port1.start();
      },
      terminate: () => port1.close(),
    };
  };
  const seen = new WeakMap<object, unknown>();
  const received = (event: MessageEvent): unknown => {
    if (!seen.has(event)) seen.set(event, bitmaps.received(event.data as unknown));
    return seen.get(event);
  };

  const client = openClient({ backend: 'wasm', threads: 1, baseUrl: 'http://localhost/base/', base: memory?.get(BASE_KEY) ?? 'embedded', room: 'all', session: () => worker((wire) => void serve(wire, (host) => makeSession(host, platform)), (end) => { crash = end; }), drafts: () => worker((wire) => serveDrafts(wire, platform)) });
  client.on('picture', (picture) => pictures.push(picture));
  const request: typeof client.request = (name, params, options) => {
    asked.push({ name, params });
    return client.request(name, params, options);
  };
  const env: Environment = {
    client: { ...client, request }, read: async (path) => new Response(new Uint8Array(await readFile(`public/${path}`))), memory: memory ? { getItem: (key) => memory.get(key) ?? null, setItem: (key, value) => { memory.set(key, value); } } : null, persist: async () => true, newId: () => `id-${++ids}`, reload: () => { reloads++; },
    later(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      timers.add(timer);
      return () => clearTimeout(timer);
    },
  };
  const studio = createStudio(env);
  const now = studio.getState;
  followDataSet(studio, env);
  followObject(studio);
  now().readLink(fragment);
  const until: Tab['until'] = (what, is, timeoutMs = 90_000) => new Promise((resolve, reject) => {
    let stop = () => {};
    const late = setTimeout(() => {
      stop();
      const { run, deviceFault, runFault, drawFault, drawing } = now();
      reject(new Error(`never: ${what}; ${JSON.stringify({ run: run && [run.phase, run.step], drawing, deviceFault, runFault, drawFault })}`));
    }, timeoutMs);
    const look = (state: StudioState) => {
      if (!is(state)) return;
      clearTimeout(late);
      stop();
      resolve(state);
    };
    stop = studio.subscribe(look);
    look(now());
  });
  await now().start(() => client.open());
  await until('the base is in', (state) => state.ready !== null && (state.words.length > 0 || !usesEmbedded(state))); // a large vocabulary is not listed
  return {
    now, pictures, request, asked, bitmaps, until, reloads: () => reloads, crash: () => crash(),
    async close() {
      await client.request('leave', undefined);
      client.close();
      for (const timer of timers) clearTimeout(timer);
      for (const port of ports) port.close();
    },
  };
}

/** A picture of the sample sets, as a user drops it. */
export async function sampleFile(name = 'guide-dog/1.png'): Promise<{ file: Blob; name: string }> {
  return { file: new Blob([new Uint8Array(await readFile(`public/concepts/${name}`))], { type: 'image/png' }), name: name.replace('/', '-') };
}

/** Pictures and class word are in, and a recipe of few steps. */
export async function giveDog({ now }: Pick<Tab, 'now'>, recipe: Record<string, unknown> = {}): Promise<void> {
  for (const [key, value] of Object.entries({ stage1Steps: 30, stage2Steps: 10, batchSize: 1, rank: 2, flip: false, lrScheduler: 'constant', previewEvery: 1000, ...recipe })) now().setField(key as never, value);
  now().setClassWord('dog');
  await now().addFiles([await sampleFile('guide-dog/1.png'), await sampleFile('guide-dog/2.png')]);
}
