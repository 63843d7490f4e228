/** The autoencoder of a base; its config's class says of which kind it is. */
import { Fault } from '../../protocol/faults';
import type { WeightSource } from '../weightSource';
import type { Autoencoder } from './autoencoder';
import { loadTinyAutoencoder } from './tiny';

export type { Autoencoder } from './autoencoder';

/** By diffusers' class; further kinds stand here. A file may hold one half only; the other then can't be asked for. */
const kinds: Readonly<Record<string, (source: WeightSource, config: unknown) => Promise<Autoencoder>>> = { AutoencoderTiny: loadTinyAutoencoder };

/** Whether a config is one of a decoder small enough for drafts. */
export const isTiny = (config: unknown): boolean => (config as { _class_name?: unknown } | null)?._class_name === 'AutoencoderTiny';

/** config: diffusers' vae/config.json. Throws Faults `base-mismatch`, `tensor-missing`, `tensor-unknown`, `tensor-shape`. */
export async function loadAutoencoder(source: WeightSource, config: unknown): Promise<Autoencoder> {
  const kind = String((config as { _class_name?: unknown } | null)?._class_name);
  const load = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (!load) throw new Fault('base-mismatch', `The base’s autoencoder is of the class “${kind}”; this app runs ${Object.keys(kinds).join(', ')}.`, 'Use a base model that Lamina supports.', { subject: 'vae/config.json' });
  return load(source, config);
}
