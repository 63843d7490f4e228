/** Numbers as text, one way everywhere. Figures are tabular in the style sheets, so that nothing shifts while they count. */
import type { ConceptSummary } from '../protocol/concepts';

export function megabytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(bytes >= 1e10 ? 0 : 1)} GB`;
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} kB`;
}

/** "thing, “dog”", "style", "world". */
export function kindText({ kind, classWord, lora, wordTokens }: Pick<ConceptSummary, 'kind' | 'classWord' | 'lora' | 'wordTokens'>): string {
  if (!lora && wordTokens !== null) return 'learned word';
  const what = kind !== 'instance' ? kind : classWord === '' ? 'thing' : `thing, “${classWord}”`;
  return wordTokens === null ? what : `${what}, with its learned word`;
}

/** "2 min 10 s", "45 s", "1 h 5 min". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** For what is only about right: "5 s", "40 s", "6 min", "1 h 30 min". */
export function roughly(seconds: number): string {
  if (seconds < 90) return `${Math.max(5, Math.round(seconds / 5) * 5)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const halves = Math.round(minutes / 30);
  return `${halves >> 1} h${halves % 2 ? ' 30 min' : ''}`;
}

export const elapsed = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms / 1000));

/** Up to three significant digits, for losses and figures of unknown size. */
export const figure = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 0.001 || value === 0 ? value.toPrecision(3) : value.toExponential(1));

export const day = (iso: string): string => new Date(iso).toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' });

/** A name inside a sentence: "Guide dog" → "guide dog"; names that go on in capitals stay. */
export const inSentence = (name: string): string => (/^\p{Lu}\p{Ll}/u.test(name) ? name.charAt(0).toLowerCase() + name.slice(1) : name);

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
