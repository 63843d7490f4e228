/** Mixes that the user kept, in the browser's own small memory: they are words and numbers, no pictures. */
import { parseMix, type Mix } from '../protocol/mix';
import type { Environment } from './client';

export interface KeptMix { name: string; mix: Mix }

const KEY = 'lamina.mixes';

/** What is remembered; what cannot be read any more is left out. */
export function keptMixes(memory: Environment['memory']): KeptMix[] {
  try {
    const found: unknown = JSON.parse(memory?.getItem(KEY) ?? '[]');
    return (Array.isArray(found) ? found : []).flatMap((each: unknown) => {
      try {
        const { name, mix } = each as { name: unknown; mix: unknown };
        return typeof name === 'string' ? [{ name, mix: parseMix(mix) }] : [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** Whether the browser took it. */
export function rememberMixes(memory: Environment['memory'], kept: readonly KeptMix[]): boolean {
  try {
    memory?.setItem(KEY, JSON.stringify(kept));
    return memory !== null;
  } catch {
    return false;
  }
}
