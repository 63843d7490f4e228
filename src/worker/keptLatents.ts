/** Encodes the pictures of a run, or takes what an earlier encoding of the same pictures has left (storage/latentStore.ts). */
import type { KeepLatents } from '../pipeline/training/dataset';
import { Fault } from '../protocol/faults';
import { sha256 } from '../storage/chunks';
import type { Database } from '../storage/db';
import { findLatents, putLatents } from '../storage/latentStore';

/** made: all that the numbers depend on beside pixels and variants: autoencoder and engine. A device without room goes without. */
export const keptLatents = (db: Database, runId: string, made: readonly string[]): KeepLatents => async (n, pixels, variants, encode) => {
  const content = JSON.stringify([await sha256(new Uint8Array(pixels.buffer as ArrayBuffer, pixels.byteOffset, pixels.byteLength)), variants, made]);
  const found = await findLatents(db, content);
  const latents = found ?? (await encode());
  if (found?.runId !== runId || found.n !== n) {
    await putLatents(db, runId, n, content, latents).catch((error: unknown) => { if (!Fault.is(error, 'storage-full')) throw error; });
  }
  return latents;
};
