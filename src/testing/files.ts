/**
 * Files on disk for tests and for programs in Node: a base's folder as BaseFiles, one safetensors file as a WeightSource.
 * The same reader as the app's; only where the bytes come from differs.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BaseFiles, WeightSource } from '../models/weightSource';
import { openSafetensors, type SafetensorsHeader } from '../formats/safetensors';

/** A safetensors file with its header (metadata, kinds). */
export async function safetensorsFile(path: string): Promise<WeightSource & { header: SafetensorsHeader }> {
  return openSafetensors(await readFile(path), path);
}

/** A base model in diffusers layout, `public/base` for instance. `weights(folder)` takes the folder's one safetensors file. */
export function folderFiles(dir: string): BaseFiles {
  const text = (path: string) => readFile(join(dir, path), 'utf8');
  return {
    text,
    has: async (folder) => (await readdir(join(dir, folder)).catch(() => [] as string[])).some((name) => name.endsWith('.safetensors')),
    json: async (path) => JSON.parse(await text(path)) as unknown,
    weights: async (folder) => {
      const names = (await readdir(join(dir, folder))).filter((name) => name.endsWith('.safetensors'));
      if (names.length !== 1) throw new Error(`${join(dir, folder)} holds ${names.length} safetensors files; one is expected`);
      return safetensorsFile(join(dir, folder, names[0]!));
    },
  };
}
