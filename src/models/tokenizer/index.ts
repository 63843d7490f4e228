/**
 * CLIP's tokenizer: normalise (NFC, one space, lower case), split into words, single digits and runs of punctuation,
 * merge byte pairs. What Python pipelines with ftfy also do (straighten quotes, unescape entities) is left out, as in
 * transformers' fast tokenizer.
 */
import { readVocabulary } from './bytePairs';

export interface TokenizerOptions {
  /** merges.txt, with or without its heading. */
  merges: string;
  /** Tokens of a prompt, the two markers included. */
  maxLength: number;
  /** Fills up to maxLength; the end marker by default. */
  padId?: number;
  /** Added tokens (a concept's own), ids from the vocabulary's end on. */
  added?: readonly string[];
}

export interface Tokenizer {
  /** maxLength ids: start, text (cut), end, padding. */
  encode(text: string): number[];
  /** The same without padding. */
  encodeBare(text: string): number[];
  /** Tokens the text takes, markers not counted, before any cut. */
  count(text: string): number;
  /** The words the vocabulary has as one token, letters only, sorted. */
  words(): string[];
  /** Whether every word in the text is one of `words`; digits and punctuation don't count. */
  known(text: string): boolean;
  readonly start: number;
  readonly end: number;
  readonly maxLength: number;
}

const WORD = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu;

/**
 * Words that longer words also end with (room, mushroom), as the embedded base was taught them. The merges don't tell a word from the tail of one, so tails
 * are left out of `words` unless they stand here.
 */
const WORDS_AND_TAILS = [
  'a', 'an', 'apple', 'apples', 'art', 'as', 'at', 'ball', 'balls', 'bike', 'bikes', 'boat', 'boats', 'brush', 'brushes', 'cake', 'cakes', 'corn', 'glasses', 'ice', 'in', 'it', 'lock', 'locks', 'man',
  'on', 'plane', 'planes', 'room', 'thing', 'to', 'top', 'water',
];

/** Plurals as the embedded base's first version was taught them: it still reads them, and nobody should be offered them. */
const OLD_PLURALS = ['bunnys', 'butterflys', 'lorrys', 'octopuss', 'puppys', 'snowmans', 'strawberrys'];

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

export function makeTokenizer({ merges, maxLength, padId, added = [] }: TokenizerOptions): Tokenizer {
  const { pieces, endings, start, end } = readVocabulary(merges);
  const words = [...endings].filter(([word, { partOfMore }]) => WORDS_AND_TAILS.includes(word) || (word.length > 1 && !partOfMore && !OLD_PLURALS.includes(word))).map(([word]) => word).sort();
  const wordSet = new Set(words);
  const lowered = added.map((token) => token.toLowerCase());
  const cut = lowered.length > 0 ? new RegExp(`(${lowered.map(escaped).join('|')})`, 'u') : null;

  const normalised = (text: string) => text.normalize('NFC').replace(/\s+/g, ' ').trim().toLowerCase();
  const special: Record<string, number> = { '<|startoftext|>': start, '<|endoftext|>': end };
  const plain = (text: string) => (text.match(WORD) ?? []).flatMap((word) => special[word] ?? pieces(word));
  const body = (text: string): number[] => {
    const parts = cut ? normalised(text).split(cut) : [normalised(text)];
    return parts.flatMap((part) => (lowered.includes(part) ? [end + 1 + lowered.indexOf(part)] : plain(part)));
  };
  const encodeBare = (text: string) => [start, ...body(text).slice(0, maxLength - 2), end];

  return {
    encodeBare, start, end, maxLength,
    encode: (text) => {
      const ids = encodeBare(text);
      return [...ids, ...Array<number>(maxLength - ids.length).fill(padId ?? end)];
    },
    count: (text) => body(text).length,
    words: () => words,
    known: (text) => (normalised(text).match(WORD) ?? []).every((piece) => !/\p{L}/u.test(piece) || wordSet.has(piece)),
  };
}
