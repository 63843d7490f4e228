/**
 * Prompts → what the transformer reads. At [V] the text encoders read the trigger word ("a zq dog on a beach"), which the base does
 * not know; `at` is the position of its first token, where the concept rows later overwrite the text stream. Without a trigger word
 * they read the class word there; of a concept with a learned word the CLIP encoders read its rows. One function derives the Base, Target and class prompts from whatever the user typed.
 */
import * as tf from '../engine/tf';
import type { Between } from '../models/steps';
import { CONCEPT_MARK, STYLE_READING, deriveCaptions, type Spoken } from '../protocol/captions';
import { Fault } from '../protocol/faults';
import type { Base, EncodedPrompts } from './base';
import { addedRows, withWords, type LearnedWord, type SpokenOf } from './learnedWord';
import { readWeights, weighted } from './promptWeights';
import { textTokens } from './textTower';

/** What the encoders read where the concept stands: its trigger word, else the class word, else STYLE_READING. */
export const spokenWord = ({ trigger = '', classWord = '' }: Spoken): string => trigger.trim() || classWord.trim() || STYLE_READING;

/** What stands for a concept's mark: text, or the rows of a learned word, whose name `text` a T5 reads. */
export type Reading = string | { text: string; word: LearnedWord };

export const readingOf = (spoken: SpokenOf): Reading => (spoken.word ? { text: spokenWord(spoken), word: spoken.word } : spokenWord(spoken));
/** Equal for readings that are encoded alike. */
export const readingKey = (reading: Reading): string | [string, string] => (typeof reading === 'string' ? reading : [reading.text, reading.word.id]);

/** Stands for one token of a learned word until its row takes the place. */
const FILLER = 'a';
/** Where it stands, each time. */
const placesIn = (text: string, mark: string): number[] => text.split(mark).slice(0, -1).map((_, n, parts) => parts.slice(0, n + 1).join(mark).length);
const clipText = (reading: Reading): string => (typeof reading === 'string' ? reading : ` ${Array<string>(reading.word.tokens).fill(FILLER).join(' ')} `);
const t5Text = (reading: Reading): string => (typeof reading === 'string' ? reading : reading.text);

/** Encodes prompts, one row each, weighted words (promptWeights.ts) included. `read` is what stands for [V], `named` what stands for further concepts, by the name that stands as [name] (readingOf). Fault `prompt-invalid` when [V] lies beyond what the encoder reads. Awaits `between` after each layer. The caller disposes. */
export async function encodePrompts(base: Pick<Base, 'parts' | 'tokenizer' | 't5Tokenizer' | 'null'>, given: readonly string[], read: Reading, named: Readonly<Record<string, Reading>> = {}, between: Between = async () => {}): Promise<EncodedPrompts> {
  const { tokenizer } = base;
  const [prompts, spans] = [given.map((prompt) => readWeights(prompt).text), given.map((prompt) => readWeights(prompt).spans)];
  const readings = Object.entries({ [CONCEPT_MARK]: read, ...Object.fromEntries(Object.entries(named).map(([name, word]) => [`[${name}]`, word])) });
  const saidAs = (say: (reading: Reading) => string) => (text: string) => readings.reduce((all, [mark, reading]) => all.replaceAll(mark, say(reading)), text);
  const spoken = saidAs(clipText);
  const positionAt = (prompt: string, found: number, mark: string, tokens: number): number => {
    // Start and end markers are counted, so the length less one is where the next word would begin.
    const before = spoken(prompt.slice(0, found));
    const position = tokenizer.encodeBare(before).length - 1;
    if (position + tokens > tokenizer.maxLength - 1 || tokenizer.count(before) > position - 1) {
      throw new Fault('prompt-invalid', `${mark} stands too late in “${prompt}”: this base reads ${tokenizer.maxLength - 2} tokens.`, `Move ${mark} nearer to the beginning or shorten the text.`, { subject: prompt });
    }
    return position;
  };
  const placeOf = (prompt: string, mark: string): number => (prompt.includes(mark) ? positionAt(prompt, prompt.indexOf(mark), mark, 1) : -1);
  const places = (mark: string) => prompts.map((prompt) => placeOf(prompt, mark));
  const [at, others] = [places(CONCEPT_MARK), Object.fromEntries(Object.keys(named).map((name) => [name, places(`[${name}]`)]))];
  const tokens = textTokens(base, prompts.map(spoken), prompts.map(saidAs(t5Text)));
  const words = readings.flatMap(([mark, reading]) => (typeof reading === 'string' ? [] : [{
    word: reading.word, at: prompts.map((prompt) => placesIn(prompt, mark).map((found) => positionAt(prompt, found, mark, reading.word.tokens))),
  }]));
  const encoded = await base.parts.text.use((tower) => {
    if (words.length === 0) return tower.encode(tokens, between);
    const added = addedRows(tower.tables, words.map(({ word }) => word));
    return tower.encode({ ...tokens, clip: withWords(tokens.clip, words, tower.tables[0]!.vocabulary) }, between, { added }).finally(() => tf.dispose(added));
  });
  const tokensBefore = (prompt: string, length: number) => tokenizer.encodeBare(spoken(prompt.slice(0, length))).length - 1;
  const weights = prompts.map((prompt, i) => {
    const row = Array<number>(encoded.context.shape[1]).fill(1);
    for (const { from, to, weight } of spans[i]!) row.fill(weight, tokensBefore(prompt, from), tokensBefore(prompt, to));
    return row;
  });
  return { context: weighted(encoded.context, base.null.context, weights), pooled: encoded.pooled, at, ...(Object.keys(named).length > 0 && { named: others }) };
}

export function disposePrompts(words: EncodedPrompts): void {
  words.context.dispose();
  words.pooled.dispose();
}

/** Rows of encoded prompts by index, in that order, repeats allowed. The caller disposes. */
export function pickPrompts(words: EncodedPrompts, rows: readonly number[]): EncodedPrompts {
  const index = tf.tensor1d([...rows], 'int32');
  const picked = { context: tf.gather(words.context, index), pooled: tf.gather(words.pooled, index), at: rows.map((row) => words.at[row]!), ...(words.named && { named: Object.fromEntries(Object.entries(words.named).map(([name, at]) => [name, rows.map((row) => at[row]!)])) }) };
  index.dispose();
  return picked;
}

/** What the class reads alone: the Target caption without its mark. */
export const classCaption = (target: string): string => target.replaceAll(CONCEPT_MARK, '').replace(/\s+/g, ' ').trim();

/** The four prompts that belong to one typed prompt, with or without [V]. */
export function promptRoles(prompt: string, { kind, classWord = '' }: Spoken): { complete: string; base: string; target: string; class: string } {
  const { complete, base, target } = deriveCaptions(prompt, kind, classWord);
  return { complete, base, target, class: classCaption(target) };
}
