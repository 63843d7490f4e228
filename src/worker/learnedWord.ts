/** A dropped file of a word learned by textual inversion → what this base's text encoders read at [V]. */
import { readLearnedRows } from '../formats/learnedRows';
import { wordFor, type LearnedWord } from '../pipeline/learnedWord';
import { Fault } from '../protocol/faults';
import type { NamedFile } from '../protocol/dropTogether';
import type { Opening } from './opening';

/** A word has a few KB; as PureCC's scripts save it, its file keeps both token tables, 0.4 GB. Such a file is read whole only where its name says so. */
const MOST_BYTES = 2 ** 20;
const saysSo = (name: string): boolean => /embed/i.test(name);

export interface FoundWord {
  word: LearnedWord;
  /** What prompts elsewhere call it, "<new1>", and the word it started from; empty where the file does not say. */
  token: string;
  startedFrom: string;
  /** One sentence for each part that was left out. */
  notes: string[];
}

/** Null for a file of another kind; whoever reads that says what is wrong with it. Faults: those of `readLearnedRows` for a file whose name says that it is a word, and of `wordFor`. */
export async function learnedWord({ file, name }: NamedFile, opening: Pick<Opening, 'base'>): Promise<FoundWord | null> {
  if (!/\.(pt|bin|safetensors)$/i.test(name) || (file.size > MOST_BYTES && !saysSo(name))) return null;
  const found = await readLearnedRows(file, name).catch((error: unknown) => { if (Fault.is(error) && !saysSo(name)) return null; throw error; });
  if (!found) return null;
  const { parts } = await opening.base();
  const { word, leftOut } = wordFor(await parts.text.use(({ tables }) => tables), { clip_l: found.clipL, clip_g: found.clipG }, name);
  const short = (text: string | null) => (text ?? '').trim().slice(0, 40);
  return { word, token: short(found.token), startedFrom: short(found.startedFrom), notes: [...leftOut, ...(found.t5 ? ['Its rows for T5 were left out: T5 reads the word’s name.'] : [])] };
}
