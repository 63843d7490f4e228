/**
 * Opens what everything else stands on, in this order: database and backend at once, then the base's files into the
 * database, then its networks. `open` resolves before the weights are in; whoever needs them awaits `base()`.
 */
import { openBackend } from '../engine/backend';
import { parseTuned, serializeTuned, tuneTilings } from '../engine/webgpu/autotune';
import { setTilings, tilingName, tilings } from '../engine/webgpu/tiling';
import { limitWork } from '../engine/webgpu/workLimit';
import { loadBase, type Base } from '../pipeline/base';
import { LATENT_RGB, readLatentToRgb } from '../pipeline/sampling/latentToRgb';
import { Fault, serializeFault } from '../protocol/faults';
import type { Host } from '../protocol/host';
import type { Compute } from '../protocol/compute';
import type { DecoderParts, SessionToDrafts } from '../protocol/drafts';
import type { ParamsOf } from '../protocol/messages';
import { openDatabase, type Database } from '../storage/db';
import type { StoredBase } from '../storage/weightStore';
import type { Platform } from './platform';

export const BASE_ID = 'embedded';
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
  private loss: Fault | null = null;
  private readonly losing = new AbortController();

  constructor(private readonly host: Host, readonly platform: Platform) {}

  /** Faults: `backend-unavailable`, `storage-refused`, `storage-newer`. Those of loading the base come as `fault` events. */
  async open({ backend, threads, baseUrl, port, before, avoid }: ParamsOf<'open'>): Promise<{ compute: Compute }> {
    this.drafts = port;
    this.database = openDatabase();
    const [db, compute] = await Promise.all([
      this.database,
      openBackend(backend, { threads, wasmPaths: this.platform.wasmPaths, before, avoid, onLoss: ({ code, message }) => this.lose(new Fault(code, message)) }),
    ]);
    await this.tune(db, compute, !!before);
    this.compute = compute;
    this.opened = this.load(db, baseUrl);
    this.opened.catch((error: unknown) => this.host.emit('fault', serializeFault(error)));
    return { compute };
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

  private async load(db: Database, baseUrl: string): Promise<Opened> {
    const stored = await this.platform.ensureBase(db, BASE_ID, baseUrl, { onProgress: (progress) => this.host.emit('loading', progress) });
    const base = await loadBase(BASE_ID, stored);
    this.send({ kind: 'decoder', decoder: await decoderParts({ stored, base }) });
    this.host.emit('ready', { base: BASE_ID, sizeBytes: stored.sizeBytes, imageSize: base.pictureSize().width });
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

/** What the draft worker needs to decode: the decoder's tensors as stored, its config, the linear map to colours. */
async function decoderParts({ stored, base }: Opened): Promise<DecoderParts> {
  const [, , channels] = base.latentShape();
  const source = await stored.weights('vae');
  const tensors: DecoderParts['tensors'] = {};
  for (const key of source.keys()) if (key.startsWith('decoder.')) tensors[key] = { shape: [...source.shape(key)], data: await source.read(key) };
  return { tensors, config: await stored.json('vae/config.json'), latentToRgb: readLatentToRgb(await stored.json(LATENT_RGB), channels) };
}
