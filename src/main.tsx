/**
 * Where the page begins: workers, store and screen are put together here and nowhere else. The query may choose the backend
 * (?backend=webgpu|wasm|cpu) and the number of wasm threads (?threads=2), and show the engine's figures (?hud); everything else of
 * the state is in the fragment.
 */
import { openClient } from './protocol/client';
import type { BackendName } from './protocol/compute';
import { followDataSet } from './state/dataSet';
import { EMBEDDED } from './protocol/models';
import { followObject } from './state/objects';
import { BASE_KEY, weightRoom } from './state/models';
import { isOpen } from './state/run';
import { createStudio } from './state/studio';
import { askPersistence } from './storage/quota';
import { followAddress } from './ui/address';
import { mount } from './ui/mount';
import { registerServiceWorker } from './ui/serviceWorker';

const backends: readonly string[] = ['webgpu', 'wasm', 'cpu'] satisfies BackendName[];

const query = new URLSearchParams(location.search);
const backend = query.get('backend') ?? 'auto';
const threads = Number(query.get('threads') ?? 0);

const client = openClient({
  backend: backends.includes(backend) ? (backend as BackendName) : 'auto',
  threads: Number.isInteger(threads) && threads > 0 ? threads : null,
  baseUrl: new URL('base/', document.baseURI).href,
  base: pageMemory()?.getItem(BASE_KEY) ?? EMBEDDED,
  room: weightRoom(pageMemory()),
  session: () => new Worker(new URL('./worker/entry.ts', import.meta.url), { type: 'module', name: 'session' }),
  drafts: () => new Worker(new URL('./worker/draftEntry.ts', import.meta.url), { type: 'module', name: 'drafts' }),
});

function pageMemory(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    // Browsers that refuse site data throw on access; preferences then last as long as the page.
    return null;
  }
}

const later = (delayMs: number, run: () => void) => {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
};

const studio = createStudio({ client, read: (path) => fetch(path), memory: pageMemory(), persist: () => askPersistence(), newId: () => crypto.randomUUID(), reload: () => location.reload(), later });

followAddress(studio);
if (query.has('hud')) studio.getState().showHud();
followDataSet(studio, { client, later });
followObject(studio);
mount(document.getElementById('root')!, studio);
void studio.getState().start(() => client.open());
void registerServiceWorker({
  onUpdate: (apply) => studio.getState().offerUpdate(apply),
  untouched: () => studio.getState().cards.length === 0 && !isOpen(studio.getState().run),
}).catch((error: unknown) => studio.getState().notify(`This page cannot be kept for offline use: ${error instanceof Error ? error.message : String(error)}`, 'bad'));
