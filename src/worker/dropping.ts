/** What a dropped file is: a LoRA, a concept card, a picture that says how it was drawn, or a picture to learn from. */
import { blobBytes, notSafetensors, openCheckpoint } from '../formats/checkpointFile';
import { isCard } from '../formats/cardFile';
import { readHeader } from '../formats/safetensorsMetadata';
import { readPictureParameters, type FoundParameters } from '../formats/pngParameters';
import { isPng } from '../formats/pngText';
import { PART_LABELS, recogniseParts } from '../models/checkpoint';
import type { Dropped, FoundDrawing } from '../protocol/concepts';
import type { ParamsOf } from '../protocol/messages';
import { Fault } from '../protocol/faults';
import { isAdapterConfig } from '../protocol/dropTogether';
import { parseMix, type Mix } from '../protocol/mix';
import { getConcept } from '../storage/conceptStore';
import type { Cards } from './cards';
import { learnedWord, type FoundWord } from './learnedWord';
import type { Opening } from './opening';
import { SAMPLERS } from '../protocol/pictures';
import { readPictureFile, type Pictures } from './pictures';
import type { Shelf } from './shelf';

/** A safetensors file begins with its header's length (8 bytes) and a brace. */
const isSafetensors = (bytes: Uint8Array): boolean => bytes.length > 9 && bytes[8] === 0x7b && bytes[7] === 0;

interface Rooms { opening: Pick<Opening, 'db' | 'base'>; pictures: Pick<Pictures, 'add'>; shelf: Pick<Shelf, 'import' | 'importWord'>; cards: Pick<Cards, 'import'> }

export async function recogniseFile({ file, name, pictureId, purpose, config, word: beside }: ParamsOf<'drop'>, { opening, pictures, shelf, cards }: Rooms): Promise<Dropped> {
  if (isAdapterConfig(name)) throw new Fault('adapter-config', `“${name}” says how strongly a LoRA acts, and is none itself.`, 'Drop it together with its adapter_model.safetensors, one of each.', { subject: pictureId });
  const head = new Uint8Array(await file.slice(0, 64).arrayBuffer());
  const word = await learnedWord({ file, name }, opening);
  if (word) return { kind: 'concept', ...(await shelf.importWord(word, name)) };
  if (isSafetensors(head)) {
    if (isCard(await readHeader(file))) return { kind: 'card', card: await cards.import(file, name) };
    const model = await partsIn(file, name);
    if (model !== '') throw new Fault('file-unrecognised', `“${name}” is a model, not a LoRA: it holds ${model}.`, 'Drop it on the Models page.', { subject: pictureId });
    return { kind: 'concept', ...(await shelf.import(file, name, config, await wordBeside(beside, opening))) };
  }
  if (/\.safetensors$/i.test(name) && file.size > 0) throw new Fault('file-unrecognised', `“${name}” is not a safetensors file, whatever its name says.`, 'Choose a LoRA in safetensors format.', { subject: pictureId });
  // a pickle, an archive, a page: what it is tells more than that it is no picture
  const other = file.size > 0 ? notSafetensors(head, { path: name, sizeBytes: file.size }) : null;
  if (other) throw new Fault(other.code, other.message, other.remedy, { subject: pictureId });
  const found = isPng(head) ? await readPictureParameters(await readPictureFile(file, name, pictureId)) : null;
  const drawn = found && (await drawingOf(found, name, opening));
  if (drawn && (purpose === 'restore' || (purpose === 'alone' && found.picture))) return { kind: 'recipe', ...drawn };
  const { animated, ...picture } = await pictures.add(file, name, pictureId);
  return { kind: 'picture', picture, animated, drawn };
}

/** The word that was dropped with a LoRA. Fault `file-unrecognised` where the file holds none: the LoRA would not be what was meant. */
async function wordBeside(beside: ParamsOf<'drop'>['word'], opening: Rooms['opening']): Promise<FoundWord | null> {
  const found = beside ? await learnedWord(beside, opening) : null;
  if (beside && !found) throw new Fault('file-unrecognised', `“${beside.name}” was dropped with a LoRA and holds no learned word.`, 'Drop the LoRA without it, or with learned_embeds.pt as it was saved.', { subject: beside.name });
  return found;
}

/** The networks of a model in a file, in words; empty where there are none, or where the header cannot be read. */
async function partsIn(file: Blob, name: string): Promise<string> {
  try {
    const { header } = await openCheckpoint(blobBytes(file, name));
    const { parts } = recogniseParts([{ path: name, tensors: Object.entries(header.tensors).map(([key, { dtype, shape }]) => ({ path: name, key, dtype, shape })) }]);
    return parts.map(({ part }) => PART_LABELS[part]).join(', ');
  } catch (error) {
    // whoever reads it as a LoRA says what is wrong with it
    if (Fault.is(error)) return '';
    throw error;
  }
}

async function drawingOf({ picture, prompt, negative, seed, steps, guidance, balance, sampler, skipLayers }: FoundParameters, name: string, opening: Rooms['opening']): Promise<FoundDrawing> {
  const conceptId = picture?.concept?.conceptId || null;
  const stored = conceptId ? await getConcept(await opening.db(), conceptId).catch((error: unknown) => { if (Fault.is(error, 'concept-missing')) return null; throw error; }) : null;
  const missing = picture?.concept && picture.mix === undefined && !stored ? ` Its concept “${picture.concept.name}” is not on the Shelf.` : '';
  const mix = mixOf(picture?.mix);
  const numbers = Object.fromEntries(Object.entries({ seed, steps, guidance, balance }).filter(([, value]) => value !== undefined));
  const known = SAMPLERS.find((each) => each === sampler);
  // a picture of ours that names no sampler is from before there was a choice
  const how = picture ? { sampler: known ?? 'euler', skipLayers: skipLayers ?? false } : known && { sampler: known };
  return { params: { prompt, negative, ...numbers, ...how }, conceptId: stored ? conceptId : null, mix: mix === 'unreadable' ? null : mix, note: `The parameters of ${name} are set.${missing}${mix === 'unreadable' ? ' Its mix cannot be read by this version of the app.' : ''}` };
}

/** What a picture says of its mix is untrusted, and must not keep the picture itself from being used. */
function mixOf(value: unknown): Mix | 'unreadable' | null {
  if (value === undefined) return null;
  try {
    return parseMix(value);
  } catch (error) {
    if (Fault.is(error, 'mix-invalid')) return 'unreadable';
    throw error;
  }
}
