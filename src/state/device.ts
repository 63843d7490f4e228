/** What runs where: compute, the base and how far it is loaded, storage, the words the base knows, and notices without a place. */
import type { FaultCode, FaultData } from '../protocol/faults';
import type { Compute, StorageReport } from '../protocol/compute';
import type { Events } from '../protocol/messages';
import { isMoving } from '../protocol/run';
import { rememberedPace, type Pace } from './pace';
import { isOpen } from './run';
import { faultOf, type Slice } from './slice';

export interface Notice { id: number; text: string; tone: 'plain' | 'bad'; /** What the notice offers to do. */ offer: NoticeOffer | null }
export interface NoticeOffer { label: string; accept(): void }

export interface DeviceSlice {
  compute: Compute | null;
  loading: Events['loading'] | null;
  ready: Events['ready'] | null;
  vocabulary: ReadonlySet<string>;
  /** The same words in alphabetical order, for the autocomplete. */
  words: readonly string[];
  storage: StorageReport | null;
  /** How long a step took in the last run on this engine. */
  pace: Pace | null;
  /** Why the base or the worker does not work. */
  deviceFault: FaultData | null;
  /** Why the worker is being replaced, while it is; null otherwise. */
  restarting: string | null;
  notices: readonly Notice[];
  /** Set when a newer version of the app waits; calling it reloads into that version. */
  applyUpdate: (() => void) | null;
  /** Waits for the worker and asks what it runs on; `open` is the client's own handshake. */
  start(open: () => Promise<{ compute: Compute }>): Promise<void>;
  refreshStorage(): Promise<void>;
  /** Asks once, when there is something worth keeping, that it be kept, and says what the browser answered. */
  askToPersist(): Promise<void>;
  notify(text: string, tone?: Notice['tone'], offer?: NoticeOffer | null): void;
  offerUpdate(apply: () => void): void;
}

/** Faults after which this page cannot go on as it is. */
const ofDevice: ReadonlySet<FaultCode> = new Set<FaultCode>(['network', 'base-incomplete', 'base-corrupt', 'base-mismatch', 'backend-unavailable', 'device-lost', 'worker-crashed', 'storage-newer']);

const names = { webgpu: 'WebGPU', wasm: 'WebAssembly', cpu: 'JavaScript' } as const;

export const deviceSlice: Slice<DeviceSlice> = ({ set, get, env }) => {
  let persistAsked = false;
  // what is read from storage once the base is ready are parts that wait until they are asked for
  env.client.on('loading', (loading) => { if (!get().ready) set({ loading }); });
  env.client.on('ready', (ready) => {
    const { compute } = get();
    set({ ready, loading: null, deviceFault: null, pace: compute && rememberedPace(env.memory, compute, ready.base) });
    const vocabulary = env.client.request('vocabulary', undefined).then(({ words }) => {
      const known = words.map((word) => word.toLowerCase());
      set({ vocabulary: new Set(known), words: [...new Set(known)].sort() });
    });
    get().drawFirst();
    for (const card of get().cards) void get().checkFit(card.pictureId);
    void Promise.all([vocabulary, get().refreshStorage(), get().refreshShelf(), get().refreshCards()]).catch((error: unknown) => set({ deviceFault: faultOf(error) }));
  });
  env.client.on('restarting', ({ message }) => set({ restarting: message, deviceFault: null }));
  env.client.on('compute', (compute) => {
    const before = get().compute;
    set({ compute, pace: rememberedPace(env.memory, compute, get().usedBase.id) });
    if (before && before.backend !== compute.backend) get().notify(`${names[compute.backend]} computes from here on. ${compute.reason}`.trim());
  });
  env.client.on('restarted', ({ run }) => {
    const { restarting } = get();
    set({ restarting: null });
    if (restarting && isOpen(run)) get().notify(`${restarting} “${run!.name}” goes on from step ${run!.step}.`);
    else if (restarting) get().notify(`${restarting} A new one has taken its place.`);
  });
  env.client.on('fault', (fault) => {
    const { run, ready } = get();
    // The other tab's steps are not seen here: what is shown stands still until the run is taken back.
    if (fault.code === 'run-elsewhere') set({ elsewhere: fault.message, runAsked: null, ...(run ? { run: { ...run, phase: 'paused' as const, secondsLeft: null } } : {}) });
    else if (!ready || ofDevice.has(fault.code)) set({ deviceFault: fault });
    // What ended a run stands beside it; the rest passes, and has no place.
    else if (isMoving(run)) set({ runFault: fault });
    else get().notify(`${fault.message} ${fault.remedy}`.trim(), 'bad');
  });

  return {
    compute: null, loading: null, ready: null, vocabulary: new Set(), words: [], storage: null, pace: null, deviceFault: null, restarting: null, notices: [], applyUpdate: null,

    async start(open) {
      try {
        const { compute } = await open();
        set({ compute, pace: rememberedPace(env.memory, compute, get().usedBase.id) });
      } catch (error) {
        set({ deviceFault: faultOf(error) });
        return;
      }
      await Promise.all([get().findUnfinished().then(() => get().restoreDataSet()), get().refreshStorage()]).catch((error: unknown) => set({ deviceFault: faultOf(error) }));
    },

    async askToPersist() {
      if (persistAsked || get().storage?.persisted) return;
      persistAsked = true;
      try {
        const granted = await env.persist();
        get().notify(granted ? 'The browser keeps what is stored here until you delete it.' : 'The browser may delete what is stored here when disk space is short: export what you want to be sure of.');
        await get().refreshStorage();
      } catch (error) {
        get().notify(`The browser was asked to keep what is stored here, and failed: ${faultOf(error)?.message ?? ''}`, 'bad');
      }
    },

    async refreshStorage() {
      set({ storage: await env.client.request('storage', undefined) });
    },

    notify(text, tone = 'plain', offer = null) {
      const last = get().notices.at(-1);
      set({ notices: [...get().notices.slice(-20), { id: (last?.id ?? 0) + 1, text, tone, offer }] });
    },

    offerUpdate: (applyUpdate) => set({ applyUpdate }),
  };
};
