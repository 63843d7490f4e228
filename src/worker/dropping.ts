/** What a dropped file is: a LoRA, a picture that says how it was drawn, or a picture to learn from. */
import { readPictureParameters } from '../formats/pngParameters';
import { isPng } from '../formats/pngText';
import type { Dropped } from '../protocol/concepts';
import type { ParamsOf } from '../protocol/messages';
import { Fault } from '../protocol/faults';
import { getConcept } from '../storage/conceptStore';
import type { Opening } from './opening';
import type { Pictures } from './pictures';
import type { Shelf } from './shelf';

/** A safetensors file begins with its header's length (8 bytes) and a brace. */
const isSafetensors = (bytes: Uint8Array): boolean => bytes.length > 9 && bytes[8] === 0x7b && bytes[7] === 0;

export async function recogniseFile({ file, name, pictureId }: ParamsOf<'drop'>, { opening, pictures, shelf }: { opening: Opening; pictures: Pictures; shelf: Shelf }): Promise<Dropped> {
  const head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  if (isSafetensors(head)) return { kind: 'concept', ...(await shelf.import(file, name)) };
  if (/\.safetensors$/i.test(name) && file.size > 0) throw new Fault('file-unrecognised', `“${name}” is not a safetensors file, whatever its name says.`, 'Choose a LoRA in safetensors format.', { subject: pictureId });
  const found = isPng(head) ? await readPictureParameters(new Uint8Array(await file.arrayBuffer())) : null;
  if (!found) return { kind: 'picture', picture: await pictures.add(file, name, pictureId) };

  const { picture, prompt, negative, seed, steps, guidance, balance } = found;
  const conceptId = picture?.concept?.conceptId || null;
  const stored = conceptId ? await getConcept(await opening.db(), conceptId).catch((error: unknown) => { if (Fault.is(error, 'concept-missing')) return null; throw error; }) : null;
  const missing = picture?.concept && !stored ? ` Its concept “${picture.concept.name}” is not on the Shelf.` : '';
  const numbers = Object.fromEntries(Object.entries({ seed, steps, guidance, balance }).filter(([, value]) => value !== undefined));
  return { kind: 'recipe', params: { prompt, negative, ...numbers }, conceptId: stored ? conceptId : null, note: `The parameters of ${name} are set.${missing}` };
}
