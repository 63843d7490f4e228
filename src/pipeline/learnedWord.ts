/**
 * A word learned by textual inversion: rows that the text encoders read from their token tables where the concept's name stands.
 * T5 has none, and reads the name itself. In what is stored of a concept its rows are called `word.clip_l` and `word.clip_g`.
 */
import { tensor2d, type Tensor2D } from '../engine/tf';
import { invariant } from '../engine/invariant';
import type { PlainTensor } from '../formats/safetensorsWriter';
import type { StoredTensors } from '../formats/storedTensors';
import { crc32 } from '../formats/crc32';
import type { TokenTable } from '../models/tokenTable';
import type { Spoken } from '../protocol/captions';
import { Fault } from '../protocol/faults';

/** In the order of a base's CLIP encoders: how files call their rows, and how people do. */
export const WORD_ENCODERS = [{ key: 'clip_l', label: 'CLIP-L' }, { key: 'clip_g', label: 'CLIP-G' }] as const;

export interface LearnedWord {
  /** One [n,width] for each CLIP encoder of the base; n tokens stand for the word. */
  rows: readonly PlainTensor[];
  tokens: number;
  /** The same rows have the same id. */
  id: string;
}

/** How a concept is spoken of, with its learned word where it has one. */
export type SpokenOf = Spoken & { word?: LearnedWord | null };

const rowsId = (rows: readonly PlainTensor[]): string => rows.map(({ shape, data }) => `${shape.join('x')}-${crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).toString(16)}`).join(' ');

/** The word among a concept's stored tensors; null where it has none. */
export function storedWord(stored: StoredTensors): LearnedWord | null {
  const rows = WORD_ENCODERS.flatMap(({ key }) => stored[`word.${key}`] ?? []);
  return rows.length === 0 ? null : { rows, tokens: rows[0]!.shape[0]!, id: rowsId(rows) };
}

/** As `storedWord` reads it. */
export const wordTensors = ({ rows }: LearnedWord): StoredTensors => Object.fromEntries(rows.map(({ shape, data }, i) => [`word.${WORD_ENCODERS[i]!.key}`, { shape: [...shape], data }]));

/** The words' rows, one after another, for each CLIP encoder [m,width]. The caller disposes. */
export function addedRows(tables: readonly Pick<TokenTable, 'width'>[], words: readonly LearnedWord[]): Tensor2D[] {
  const total = words.reduce((sum, { tokens }) => sum + tokens, 0);
  return tables.map(({ width }, encoder) => {
    const values = new Float32Array(total * width);
    let at = 0;
    for (const { rows } of words) {
      const { shape, data } = rows[encoder] ?? { shape: [], data: [] };
      invariant(shape[1] === width, `a learned word with ${shape[1]} numbers a token for an encoder that reads ${width}`);
      values.set(data, at);
      at += data.length;
    }
    return tensor2d(values, [total, width]);
  });
}

/** Prompts' ids with those of the words at their places: `at` lists each prompt's. A word's ids lie behind the vocabulary, in the order of `addedRows`. */
export function withWords(ids: readonly (readonly number[])[], words: readonly { word: LearnedWord; at: readonly (readonly number[])[] }[], vocabulary: number): number[][] {
  const out = ids.map((row) => [...row]);
  let first = vocabulary;
  for (const { word: { tokens }, at } of words) {
    at.forEach((places, row) => { for (const place of places) for (let i = 0; i < tokens; i++) out[row]![place + i] = first + i; });
    first += tokens;
  }
  return out;
}

type RowsByEncoder = Readonly<Record<(typeof WORD_ENCODERS)[number]['key'], PlainTensor | null>>;

/**
 * A file's rows as a word of a base with these token tables, one a CLIP encoder; and what is left out, in words. Fault `base-mismatch` where an encoder
 * has none, or rows of another width; `file-unrecognised` where they are of different numbers.
 */
export function wordFor(tables: readonly Pick<TokenTable, 'width'>[], found: RowsByEncoder, file: string): { word: LearnedWord; leftOut: string[] } {
  const mismatch = (why: string) => new Fault('base-mismatch', `“${file}” holds a word that was learned for ${holds(found)}. ${why}`, 'Use it with the base that it was learned on.', { subject: file });
  const rows = tables.map(({ width }, i) => {
    const { key, label } = WORD_ENCODERS[i]!;
    const own = found[key];
    const mine = tables.length === 1 ? 'This base’s text encoder' : `This base’s ${label}`;
    if (!own) throw mismatch(`${mine} finds nothing in it.`);
    if (own.shape[1] !== width) throw mismatch(`${mine} reads ${width} numbers a token.`);
    return own;
  });
  const [tokens = 0] = rows[0]?.shape ?? [];
  if (rows.some(({ shape }) => shape[0] !== tokens)) throw new Fault('file-unrecognised', `“${file}” has ${rows.map(({ shape }, i) => `${shape[0]} tokens for ${WORD_ENCODERS[i]!.label}`).join(' and ')}: a word has as many for each.`, 'Use another file; this one is broken.', { subject: file });
  return { word: { rows, tokens, id: rowsId(rows) }, leftOut: WORD_ENCODERS.slice(tables.length).flatMap(({ key, label }) => (found[key] ? [`Its rows for ${label} were left out, as this base has no such encoder.`] : [])) };
}

const holds = (found: RowsByEncoder): string => WORD_ENCODERS.flatMap(({ key, label }) => (found[key] ? [`${label} (${found[key].shape[1]} numbers a token)`] : [])).join(' and ') || 'T5 alone';
