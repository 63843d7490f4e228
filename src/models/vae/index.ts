/** The autoencoder of a base; its config's class says of which kind it is, or its keys where there is no config. */
import { Fault } from '../../protocol/faults';
import type { WeightSource } from '../weightSource';
import type { Autoencoder } from './autoencoder';
import { loadKlAutoencoder, type KlOptions } from './kl';
import { klPrefix } from './klWeights';
import { loadTinyAutoencoder } from './tiny';

export type { Autoencoder, DecodedVjp } from './autoencoder';
export { originalVaeKey, ORIGINAL_VAE_PREFIX } from './keys';
export type { KlOptions } from './kl';

/** By diffusers' class; further kinds stand here. A file may hold one half only; the other then can't be asked for. */
const kinds: Readonly<Record<string, (source: WeightSource, config: unknown, options?: KlOptions) => Promise<Autoencoder>>> = { AutoencoderTiny: loadTinyAutoencoder, AutoencoderKL: loadKlAutoencoder };

/** Whether a config is one of a decoder small enough for drafts. */
export const isTiny = (config: unknown): boolean => (config as { _class_name?: unknown } | null)?._class_name === 'AutoencoderTiny';

const byKeys = (source: WeightSource): string => (['encoder', 'decoder'].some((half) => source.has(`${klPrefix(source)}${half}.conv_in.weight`)) ? 'AutoencoderKL' : 'AutoencoderTiny');

/** config: diffusers' vae/config.json, or nothing. Throws Faults `base-mismatch`, `tensor-missing`, `tensor-unknown`, `tensor-shape`. */
export async function loadAutoencoder(source: WeightSource, config?: unknown, options: KlOptions = {}): Promise<Autoencoder> {
  const declared = (config as { _class_name?: unknown } | null | undefined)?._class_name;
  const kind = declared === undefined ? byKeys(source) : String(declared);
  const load = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (!load) throw new Fault('base-mismatch', `The base’s autoencoder is of the class “${kind}”; this app runs ${Object.keys(kinds).join(', ')}.`, 'Use a base model that Lamina supports.', { subject: 'vae/config.json' });
  return load(source, config, options);
}
