/**
 * sentencepiece's precompiled map of characters (`nmt_nfkc` in T5's model): a double-array trie over UTF-8 bytes, behind it the
 * replacements, each ended by a zero. Layout: length of the trie in bytes (u32, little-endian), trie (u32 units), replacements.
 */
import { Fault } from '../../protocol/faults';

/** Longer clusters of characters are looked up one by one, as the reference does. */
const CLUSTER_BYTES = 6;

const clusters = new Intl.Segmenter('en', { granularity: 'grapheme' });
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
const labelOf = (unit: number): number => (unit & 0x800000ff) >>> 0;

/** base64: as tokenizer.json holds it. The function replaces what the map has. Fault `base-mismatch` if it is none. */
export function charactersMap(base64: string, path: string): (text: string) => string {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    bytes = new Uint8Array(0);
  }
  const trieBytes = bytes.length >= 4 ? new DataView(bytes.buffer).getUint32(0, true) : Infinity;
  if (trieBytes % 4 !== 0 || trieBytes < 4 || 4 + trieBytes > bytes.length) throw new Fault('base-mismatch', `The map of characters in ${path} is damaged.`, 'Use the unchanged file of a model that Lamina supports.', { subject: path });
  const trie = new Uint32Array(bytes.slice(4, 4 + trieBytes).buffer);
  const replacements = bytes.subarray(4 + trieBytes);

  /** What stands for it; null where the map says nothing. The shortest entry that it begins with decides. */
  const replaced = (part: string): string | null => {
    let at = offsetOf(trie[0]!);
    for (const byte of encoder.encode(part)) {
      at ^= byte;
      const unit = trie[at];
      if (byte === 0 || unit === undefined || labelOf(unit) !== byte) return null;
      at ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 0) continue;
      const begin = (trie[at] ?? 0) & 0x7fffffff;
      const end = replacements.indexOf(0, begin);
      return decoder.decode(replacements.subarray(begin, end < 0 ? replacements.length : end));
    }
    return null;
  };
  const each = (cluster: string) => {
    const whole = encoder.encode(cluster).length < CLUSTER_BYTES ? replaced(cluster) : null;
    return whole ?? [...cluster].map((character) => replaced(character) ?? character).join('');
  };
  return (text) => Array.from(clusters.segment(text), ({ segment }) => each(segment)).join('');
}
