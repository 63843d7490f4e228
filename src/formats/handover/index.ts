/** “To a bigger machine”: a run as one archive that trainers of elsewhere go on with. It holds pictures and captions: it is private. */
import { writeZip } from '../zip';
import { diffusersFolder } from './diffusers';
import { pureccFolder } from './purecc';
import { bytesOf, pictureName, PICTURES, type Handover } from './types';

export { publishedTraining, type HandedPicture, type HandedTraining, type Handover } from './types';

const readme = ({ name, kind, pictures, trigger }: Handover) => `${name}

${pictures.length} pictures with their captions, to train on elsewhere. Anyone who has this folder has your pictures.

diffusers/train.sh   a plain LoRA, by diffusers and accelerate${kind === 'world' ? ', without captions' : `; prompts then say “${trigger}”`}
${kind === 'world' ? '' : 'purecc/train.sh      both stages of PureCC, by its authors\' scripts; prompts then say “<new1>”\n'}recipe.json          what was learned with in Lamina, and reads back there

The LoRA that comes out can be dropped on Lamina's Shelf, where the same base model is installed.
`;

/** A name for files and folders. */
const plainName = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '') || 'concept';

/** The archive, and a name for it. Fault `file-too-large`. */
export function writeHandover(run: Handover): { bytes: Uint8Array<ArrayBuffer>; fileName: string } {
  const top = plainName(run.name);
  const folders = [diffusersFolder(run), ...(run.kind === 'world' ? [] : [pureccFolder(run)])];
  const pictures = Object.fromEntries(run.pictures.map(({ png }, i) => [`${PICTURES}/${pictureName(i)}`, png]));
  const files = { 'README.txt': bytesOf(readme(run)), 'recipe.json': bytesOf(`${run.recipe}\n`), ...pictures, ...Object.assign({}, ...folders.map((folder) => folder.files)) as Record<string, Uint8Array> };
  const within = (path: string) => `${top}/${path}`;
  const bytes = writeZip(Object.fromEntries(Object.entries(files).map(([path, content]) => [within(path), content])), folders.flatMap(({ runs }) => runs.map(within)));
  return { bytes, fileName: `${top}-to-train.zip` };
}
