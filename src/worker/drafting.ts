/**
 * What the draft worker does: it holds the probe and the tiny decoder, and answers every move of the slider without asking the
 * session, which may be in the middle of a training step. Colours at once in plain JavaScript, decoded pixels next; newest wins.
 */
import type { Tensor4D } from '../engine/tf';
import { openBackend } from '../engine/backend';
import { loadAutoencoder, type Autoencoder } from '../models/vae';
import { mixDraft } from '../pipeline/sampling/mixDraft';
import { draft, draftColours, linearColours } from '../pipeline/sampling/preview';
import { isAliveMessage } from '../protocol/alive';
import { Fault, serializeFault } from '../protocol/faults';
import type { DecoderParts, FromDrafts, MixProbe, Probe, SessionToDrafts, ToDrafts } from '../protocol/drafts';
import { mixProbeKey } from '../protocol/mix';
import type { DraftKey } from '../protocol/pictures';
import { transferables, type Wire } from '../protocol/wire';
import type { Platform } from './platform';
import { shownBatch, toShown } from './present';
import { makeBreath } from './turns';

type Move = Exclude<ToDrafts, { kind: 'open' }>;

/** The decoder alone, on its own wasm backend: the session's tensors cannot be shared. */
async function openDecoder({ tensors, config }: DecoderParts, wasmPaths: Platform['wasmPaths']): Promise<Autoencoder> {
  await openBackend('wasm', { threads: 1, wasmPaths });
  const find = (key: string) => {
    const tensor = tensors[key];
    if (!tensor) throw new Fault('tensor-missing', `The decoder has no tensor “${key}”.`, 'Reload the page.', { subject: key });
    return tensor;
  };
  const rows = (key: string, from: number, to: number) => {
    const { shape, data } = find(key);
    const width = data.length / (shape[0] ?? 1);
    return data.slice(from * width, to * width);
  };
  return loadAutoencoder({ keys: () => Object.keys(tensors), has: (key) => key in tensors, shape: (key) => find(key).shape, read: async (key) => find(key).data, readRows: async (key, from, to) => rows(key, from, to) }, config);
}

/** Answers the page on `wire` from now on. */
export function serveDrafts(wire: Wire, { raster, wasmPaths }: Pick<Platform, 'raster' | 'wasmPaths'>): void {
  let held: { probe: Probe; of: DraftKey } | null = null;
  let heldMix: MixProbe | null = null;
  let decoder: DecoderParts | null = null;
  /** Null in it: this base's decoder is too large for drafts. */
  let autoencoder: Promise<Autoencoder | null> | null = null;
  let next: Move | null = null;
  /** The newest move, while there is no probe for it. */
  let waiting: Move | null = null;
  let working = false;
  const breathe = makeBreath();

  const post = (message: FromDrafts): void => wire.postMessage(message, transferables(message));

  /** The linear colours, at once: called as a move arrives, also between the layers of a decoding. */
  async function answerAtOnce(move: Move): Promise<void> {
    if (move.kind === 'mix' || !held || !decoder) return;
    const { balance, revision } = move;
    const { probe, of } = held;
    const started = performance.now();
    const colours = toShown(draftColours(probe, [balance], decoder.latentToRgb), probe.width, probe.height);
    post({ kind: 'draft', state: 'draft-linear', bitmap: await raster.toBitmap(colours), balance, revision, elapsedMs: performance.now() - started, of });
  }

  /** Null when another move has come meanwhile. */
  async function decodeUnlessOvertaken(loaded: Autoencoder, latent: Tensor4D): Promise<Tensor4D | null> {
    try {
      return await loaded.decode(latent, async () => {
        await breathe();
        if (next) throw new Fault('aborted', 'Overtaken.');
      });
    } catch (error) {
      if (!Fault.is(error, 'aborted')) throw error;
      return null;
    }
  }

  /** A move's latent and the answer to put its pictures in; null where no probe is there for it. */
  async function answerTo(move: Move): Promise<{ latent: Tensor4D; answer: (state: 'draft-linear' | 'draft', bitmap: ImageBitmap) => FromDrafts } | null> {
    const started = performance.now();
    const { revision } = move;
    if (move.kind === 'mix') {
      if (heldMix?.key !== mixProbeKey(move.mix)) return null;
      const { latent, ids, overlap } = await mixDraft(heldMix, move.mix);
      return { latent, answer: (state, bitmap) => ({ kind: 'mix-draft', state, bitmap, revision, mix: move.mix, ids, overlap, elapsedMs: performance.now() - started }) };
    }
    if (!held) return null;
    const { probe, of } = held;
    return { latent: draft(probe, move.balance), answer: (state, bitmap) => ({ kind: 'draft', state, bitmap, balance: move.balance, revision, elapsedMs: performance.now() - started, of }) };
  }

  /** The colours of a mix, whose weights may have to be solved first. */
  async function colours(latent: Tensor4D): Promise<ImageBitmap> {
    const [, height, width, channels] = latent.shape;
    return raster.toBitmap(toShown(linearColours(await latent.data<'float32'>(), channels, decoder!.latentToRgb), width, height));
  }

  /** Decodes the newest move until none is waiting; one that is overtaken is given up at the next layer. */
  async function work(): Promise<void> {
    while (next && autoencoder) {
      const move: Move = next;
      next = null;
      const loaded = await autoencoder;
      const found = await answerTo(move);
      if (!found) {
        waiting = move;
        continue;
      }
      const { latent, answer } = found;
      if (move.kind === 'mix') post(answer('draft-linear', await colours(latent)));
      const pixels = loaded && (await decodeUnlessOvertaken(loaded, latent));
      latent.dispose();
      if (!pixels) continue;
      const [shown] = await shownBatch(pixels);
      pixels.dispose();
      post(answer('draft', await raster.toBitmap(shown!)));
    }
  }

  const fail = (error: unknown) => post({ kind: 'fault', fault: serializeFault(error) });

  function start(): void {
    if (working) return;
    working = true;
    work()
      .catch(fail)
      .finally(() => { working = false; });
  }

  function fromSession({ data }: MessageEvent<SessionToDrafts>): void {
    if (data.kind === 'probe') held = { probe: data.probe, of: data.of };
    else if (data.kind === 'mix-probe') heldMix = data.probe;
    else {
      decoder = data.decoder;
      autoencoder ??= decoder.config === null ? Promise.resolve(null) : openDecoder(decoder, wasmPaths);
    }
    next ??= waiting;
    waiting = null;
    start();
  }

  wire.addEventListener('message', ({ data }: MessageEvent<ToDrafts>) => {
    if (isAliveMessage(data)) return;
    if (data.kind === 'open') data.port.onmessage = fromSession;
    else {
      next = data;
      waiting = null;
      answerAtOnce(data).catch(fail);
      start();
    }
  });
}
