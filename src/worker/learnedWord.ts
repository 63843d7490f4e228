/** A dropped file of a word learned by textual inversion: it is read and named, and there is no place for its word here yet. */
import { readLearnedRows } from '../formats/learnedRows';
import { Fault } from '../protocol/faults';

/** Such files are small; a row that keeps its whole table is not worth reading only to be refused. */
const MOST_BYTES = 2 ** 20;

/** What the file is, in words; null for all other files. */
export async function learnedWord(file: Blob, name: string, subject: string): Promise<Fault | null> {
  if (file.size > MOST_BYTES || !/\.(pt|bin|safetensors)$/i.test(name)) return null;
  try {
    const { token, clipL, clipG } = await readLearnedRows(file, name);
    const encoders = [clipL && `CLIP-L (${clipL.shape[1]} numbers)`, clipG && `CLIP-G (${clipG.shape[1]} numbers)`].filter(Boolean).join(' and ');
    return new Fault('file-unrecognised', `“${name}” holds a word${token === null ? '' : `, “${token}”,`} that was learned for the text encoders${encoders && ` ${encoders}`}. Concepts here have no such words.`, 'Drop the LoRA that was learned with it.', { subject });
  } catch (error) {
    // it is something else, and whoever reads that says what is wrong with it
    if (Fault.is(error)) return null;
    throw error;
  }
}
