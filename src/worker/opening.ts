/**
 * Opens what everything else stands on, in this order: database and backend at once, then the base's files into the
 * database, then its networks. `open` resolves before the weights are in; whoever needs them awaits `base()`.
 */
import { openBackend } from '../engine/backend';
import { parseTuned, serializeTuned, tuneTilings } from '../engine/webgpu/autotune';
import { setTilings, tilingName, tilings } from '../engine/webgpu/tiling';
import { limitWork } from '../engine/webgpu/workLimit';
import { isTiny } from '../models/vae';
import { loadBase, type Base } from '../pipeline/base';
import { sightParts } from '../pipeline/training/sight';
import { skipsLayers } from '../pipeline/sampling/skipLayers';
import { Fault, serializeFault } from '../protocol/faults';
import type { Host } from '../protocol/host';
import type { Compute } from '../protocol/compute';
import type { DecoderParts, SessionToDrafts } from '../protocol/drafts';
import type { ParamsOf } from '../protocol/messages';
import type { WeightRoom } from '../protocol/fit';
import { EMBEDDED, EMBEDDED_NAME } from '../protocol/models';
import { openDatabase, type Database } from '../storage/db';
import { getModel, openModel } from '../storage/modelStore';
import type { StoredBase } from '../storage/weightStore';
import type { Platform } from './platform';
import { roomForWeights } from './weightRoom';

/** Networks of a base up to this size stay in memory; of larger ones each is loaded for its phase. */
const STAYING_BYTES = 400e6;
/** A reading that fails because its device is gone may be known this long before the loss itself. */
const LOSS_MS = 1000;
/** Counts up when kernels change in the last bit; part of what a bit-identical resume needs. */
const KERNELS = 2;

export interface Opened { base: Base; stored: StoredBase }

const notOpened = () => new Fault('busy', 'The page has not opened its worker yet.', 'Wait a moment and try again.');

export class Opening {
  private compute: Compute | null = null;
  private opened: Promise<Opened> | null = null;
  private database: Promise<Database> | null = null;
  private drafts: MessagePort | null = null;
  private baseUrl = '';
  private room: { weights: WeightRoom; share: number } = { weights: 'all', share: 1 };
  /** The base that is open, or being opened. */
  baseId = EMBEDDED;
  private loss: Fault | null = null;
  private readonly losing = new AbortController();

  constructor(private readonly host: Host, readonly platform: Platform) {}

  /** Faults: `backend-unavailable`, `storage-refused`, `storage-newer`. Those of loading the base come as `fault` events. */
  async open({ backend, threads, baseUrl, base, room, port, before, avoid }: ParamsOf<'open'>): Promise<{ compute: Compute }> {
    this.drafts = port;
    this.baseUrl = baseUrl;
    this.baseId = base;
    this.room = room;
    this.database = openDatabase();
    const [db, compute] = await Promise.all([
      this.database,
      openBackend(backend, { threads, wasmPaths: this.platform.wasmPaths, before, avoid, onLoss: ({ code, message }) => this.lose(new Fault(code, message)) }),
    ]);
    await this.tune(db, compute, !!before);
    this.compute = compute;
    this.opened = this.load(db);
    this.opened.catch((error: unknown) => this.host.emit('fault', serializeFault(error)));
    return { compute };
  }

  /** Fault `base-mismatch` for what was learned on another base. */
  expectBase(base: string, name: string): void {
    if (base !== this.baseId) throw new Fault('base-mismatch', `“${name}” was learned on ${base === EMBEDDED ? 'the embedded base' : 'another model'}, and acts on that alone.`, 'Use that model on the Models page, then open it again.');
  }

  db(): Promise<Database> {
    return this.database ?? Promise.reject(notOpened());
  }

  async base(): Promise<Base> {
    return (await this.all()).base;
  }

  all(): Promise<Opened> {
    return this.opened ?? Promise.reject(notOpened());
  }

  /** What a checkpoint pins: the same numbers come only from the same of these. */
  get engine(): string {
    if (!this.compute) return '';
    const { backend, adapter } = this.compute;
    return `${backend} · ${adapter} · kernels ${KERNELS}${backend === 'webgpu' ? ` · ${tilingName(tilings())}` : ''}`;
  }

  /** The fastest tiling of a real adapter and its rate, measured at its first visit. Software adapters keep the one without barriers: trying the others takes them seconds. */
  private async tune(db: Database, { backend, adapter, software }: Compute, careful: boolean): Promise<void> {
    if (backend !== 'webgpu' || software) return limitWork(null, careful);
    const key = `tilings · ${adapter} · kernels ${KERNELS}`;
    const kept = parseTuned(await db.get('settings', key));
    const tuned = kept ?? (await tuneTilings());
    setTilings(tuned.tilings);
    limitWork(tuned.flopsPerMs, careful);
    if (!kept) await db.put('settings', serializeTuned(tuned), key);
  }

  send(message: SessionToDrafts, transfer: Transferable[] = []): void {
    this.drafts?.postMessage(message, transfer);
  }

  /** Feeds a draft worker that replaces another; it has no probe yet. */
  async attachDrafts(port: MessagePort): Promise<void> {
    this.drafts = port;
    this.send({ kind: 'decoder', decoder: await decoderParts(await this.all()) });
  }

  /** Set once this worker's numbers can no longer be trusted: it must store nothing more, and the page replaces it. */
  get lost(): Fault | null {
    return this.loss;
  }

  /** The error itself, or the loss of device or memory that it comes from. */
  async explain(error: unknown): Promise<unknown> {
    const end = this.loss ?? endOfMemory(error);
    if (end) return this.lose(end);
    if (this.compute?.backend !== 'webgpu' || (Fault.is(error) && error.code !== 'not-finite')) return error;
    await new Promise<void>((resolve) => {
      this.losing.signal.addEventListener('abort', () => resolve());
      setTimeout(resolve, LOSS_MS);
    });
    return this.loss ?? error;
  }

  private lose(loss: Fault): Fault {
    if (this.loss) return this.loss;
    this.loss = loss;
    this.losing.abort();
    this.host.emit('fault', serializeFault(loss));
    return loss;
  }

  /** CLIP's merge list as the app ships it, for models whose files bring none. */
  async readClipMerges(): Promise<Uint8Array> {
    const response = await this.platform.fetch(new URL('../clip/merges.txt', this.baseUrl).href);
    if (!response.ok) throw new Fault('network', `CLIP’s vocabulary could not be fetched: the server answered ${response.status}.`, 'Reload the page while online.', { subject: 'clip/merges.txt' });
    return new Uint8Array(await response.arrayBuffer());
  }

  /** An imported model that is gone or not whole leaves the page with the embedded base, and says why. */
  private async load(db: Database): Promise<Opened> {
    try {
      const stored = this.baseId === EMBEDDED ? null : await openModel(db, this.baseId, (file, doneBytes, totalBytes) => this.host.emit('loading', { file, doneBytes, totalBytes, source: 'storage' }));
      return await this.loadFrom(stored ?? (await this.embedded(db)), stored ? ((await getModel(db, this.baseId))!.name) : EMBEDDED_NAME);
    } catch (error) {
      if (this.baseId === EMBEDDED || this.loss || endOfMemory(error)) throw error;
      this.baseId = EMBEDDED;
      const opened = await this.loadFrom(await this.embedded(db), EMBEDDED_NAME);
      const { message, remedy } = serializeFault(error);
      this.host.emit('fault', serializeFault(new Fault('busy', `The embedded base is in use instead: ${message}`, remedy)));
      return opened;
    }
  }

  private embedded(db: Database): Promise<StoredBase> {
    return this.platform.ensureBase(db, EMBEDDED, this.baseUrl, { onProgress: (progress) => this.host.emit('loading', progress) });
  }

  private async loadFrom(stored: StoredBase, name: string): Promise<Opened> {
    const large = stored.sizeBytes > STAYING_BYTES;
    const base = await loadBase(this.baseId, stored, { partsStay: !large, ...(large && roomForWeights(this.room, this.compute!.backend, stored.sizeBytes)) });
    this.send({ kind: 'decoder', decoder: await decoderParts({ stored, base }) });
    this.host.emit('ready', { base: this.baseId, name, sizeBytes: stored.sizeBytes, imageSize: base.pictureSize().width, sees: base.parts.vision !== null, skips: skipsLayers(base.depth), withoutT5: base.zeroTokens > 0, objects: base.parts.object !== null, persons: sightParts(base) !== null && base.parts.vision !== null, faces: base.parts.identity !== null && base.parts.face !== null });
    return { base, stored };
  }
}

/** Null for every other error. Once aborted, tfjs' wasm module answers no call any more. */
function endOfMemory(error: unknown): Fault | null {
  if (Fault.is(error, 'out-of-memory')) return error;
  if (error instanceof WebAssembly.RuntimeError) return new Fault('worker-crashed', `The WebAssembly engine stopped: ${error.message}`, '', { cause: error });
  const refused = error instanceof RangeError && /alloc|memory|array buffer/i.test(error.message);
  return refused ? new Fault('out-of-memory', `The worker ran out of memory: ${error.message}`, '', { cause: error }) : null;
}

/** What the draft worker needs: the linear map to colours, and of a tiny autoencoder the decoder's tensors as stored and its config. A large decoder would take seconds for each draft, and memory twice. */
export async function decoderParts({ stored, base }: { stored: StoredBase; base: Pick<Base, 'latentToRgb'> }): Promise<DecoderParts> {
  const folder = (await stored.has('vae_preview')) ? 'vae_preview' : 'vae';
  const config = await stored.json(`${folder}/config.json`);
  const tensors: DecoderParts['tensors'] = {};
  const source = isTiny(config) ? await stored.weights(folder) : null;
  for (const key of source?.keys() ?? []) if (key.startsWith('decoder.')) tensors[key] = { shape: [...source!.shape(key)], data: await source!.read(key) };
  return { tensors, config: source && config, latentToRgb: base.latentToRgb };
}
