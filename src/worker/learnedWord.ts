/** A dropped file of a word learned by textual inversion: it is read and named, and said to be of no use in prompts here, and what to write instead. */
import { readLearnedRows } from '../formats/learnedRows';
import { Fault } from '../protocol/faults';

/** Such files are small; a row that keeps its whole table is not worth reading only to be refused. */
const MOST_BYTES = 2 ** 20;

/** What the file is, in words; null for all other files. */
export async function learnedWord(file: Blob, name: string, subject: string): Promise<Fault | null> {
  if (file.size > MOST_BYTES || !/\.(pt|bin|safetensors)$/i.test(name)) return null;
  try {
    const { token, startedFrom, clipL, clipG } = await readLearnedRows(file, name);
    const encoders = [clipL && `CLIP-L (${clipL.shape[1]} numbers)`, clipG && `CLIP-G (${clipG.shape[1]} numbers)`].filter(Boolean).join(' and ');
    return new Fault('file-unrecognised', `“${name}” holds a word${token === null ? '' : `, “${token}”,`} that was learned for the text encoders${encoders && ` ${encoders}`}. Prompts here know only the words of the base and [V], so it cannot be written in one.`,
      `Drop the LoRA that was learned with it${startedFrom ? `, and write “${startedFrom.slice(0, 40)}”, which the word started from, in its place` : ''}: it draws less of the concept than with the word. Or learn the concept from its pictures here.`, { subject });
  } catch (error) {
    // it is something else, and whoever reads that says what is wrong with it
    if (Fault.is(error)) return null;
    throw error;
  }
}
