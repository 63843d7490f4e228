/** Files and folders as a user gives them: dropped, pasted or chosen. A file of a folder comes with its path, the folder's own name first. */
import type { ModelFile } from '../../protocol/models';

/** A model's folder has far fewer; whoever drops their whole disk waits for nothing. */
const MOST_FILES = 2000;

/** Of a file input: `webkitRelativePath` is empty unless a folder was chosen. */
export const chosenFiles = (list: Iterable<File>): ModelFile[] => [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/** Of a drop or paste. Must be called in the event's own turn: afterwards the browser has emptied it. Rejects with a sentence where there are too many files. */
export async function droppedFiles(transfer: DataTransfer): Promise<ModelFile[]> {
  const entries = [...transfer.items].filter(({ kind }) => kind === 'file').map((item) => item.webkitGetAsEntry());
  const plain = chosenFiles(transfer.files);
  if (!entries.some((entry) => entry?.isDirectory)) return plain;
  const files: ModelFile[] = [];
  for (const entry of entries) if (entry) await walk(entry, files);
  return files;
}

async function walk(entry: FileSystemEntry, into: ModelFile[]): Promise<void> {
  if (entry.name.startsWith('.')) return;
  if (into.length >= MOST_FILES) throw new Error(`There are more than ${MOST_FILES} files in that folder. Drop the model’s own folder.`);
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => { (entry as FileSystemFileEntry).file(resolve, reject); });
    into.push({ path: entry.fullPath.replace(/^\//, ''), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // a reader gives a hundred entries at a time, and none when it is done
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (some.length === 0) return;
    for (const each of some) await walk(each, into);
  }
}
