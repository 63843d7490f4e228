/**
 * Words of captions and prompts: which ones the base knows, what a caption says that another does not, what to suggest at the caret.
 * A piece keeps its place in the text, so that fields can mark it without changing what was typed.
 */
import { CONCEPT_MARK } from '../protocol/captions';

export interface Piece { text: string; start: number; kind: 'word' | 'mark' | 'other' }

/** The text cut into words, concept marks and whatever stands between, in order and without loss. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  for (const match of text.matchAll(/\[[^\]\s]*\]|[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*|[^\p{L}\p{N}[]+|\[/gu)) {
    const kind = match[0].startsWith('[') && match[0].endsWith(']') && match[0].length > 1 ? 'mark' : /^[\p{L}\p{N}]/u.test(match[0]) ? 'word' : 'other';
    found.push({ text: match[0], start: match.index, kind });
  }
  return found;
}

/** Words that the base has never seen; none where its vocabulary is open (empty). */
export function unknownWords(text: string, vocabulary: ReadonlySet<string>): string[] {
  if (vocabulary.size === 0) return [];
  const words = pieces(text).filter((piece) => piece.kind === 'word').map((piece) => piece.text.toLowerCase());
  return [...new Set(words.filter((word) => !vocabulary.has(word)))];
}

/** Positions (piece starts) in `text` of what `other` does not say: longest common subsequence over words, case ignored. */
export function difference(text: string, other: string): Set<number> {
  const said = (value: string) => pieces(value).filter((piece) => piece.kind !== 'other');
  const [left, right] = [said(text), said(other)];
  const lengths = Array.from({ length: left.length + 1 }, () => new Array<number>(right.length + 1).fill(0));
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      const same = left[i]!.text.toLowerCase() === right[j]!.text.toLowerCase();
      lengths[i]![j] = same ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  const only = new Set<number>();
  for (let i = 0, j = 0; i < left.length; ) {
    if (j < right.length && left[i]!.text.toLowerCase() === right[j]!.text.toLowerCase()) { i++; j++; }
    else if (j < right.length && lengths[i]![j + 1]! > lengths[i + 1]![j]!) j++;
    else only.add(left[i++]!.start);
  }
  return only;
}

/** Up to `limit` words of the vocabulary that go on from the word at the caret; after "[" the marks are offered. */
export function suggestions(text: string, caret: number, words: readonly string[], limit = 6, marks: readonly string[] = [CONCEPT_MARK]): { from: number; to: number; words: string[] } {
  const before = /(\[[^\]\s]*|[\p{L}]+)$/u.exec(text.slice(0, caret))?.[0] ?? '';
  const from = caret - before.length;
  if (before === '') return { from, to: caret, words: [] };
  if (before.startsWith('[')) return { from, to: caret + (/^[^\]\s[]*\]/u.exec(text.slice(caret))?.[0].length ?? 0), words: marks.filter((mark) => mark.toLowerCase().startsWith(before.toLowerCase())).slice(0, limit) };
  const rest = /^[\p{L}]*/u.exec(text.slice(caret))?.[0] ?? '';
  const typed = before.toLowerCase();
  const going = words.filter((word) => word.startsWith(typed) && word !== typed + rest);
  return { from, to: caret + rest.length, words: going.slice(0, limit) };
}
