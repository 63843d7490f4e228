/** What a user drops: files as they are, folders walked, with paths that keep the folder's own name. */
import { expect, it } from 'vitest';
import { chosenFiles, droppedFiles } from './files';

const leaf = (path: string) => ({ isFile: true, isDirectory: false, name: path.split('/').at(-1)!, fullPath: path, file: (done: (file: File) => void) => done(new File(['x'], path.split('/').at(-1)!)) });
/** A folder whose reader gives two entries at a time, as browsers give a hundred. */
const branch = (path: string, entries: object[]) => ({ isFile: false, isDirectory: true, name: path.split('/').at(-1)!, fullPath: path, createReader: () => {
  const left = [...entries];
  return { readEntries: (done: (some: object[]) => void) => done(left.splice(0, 2)) };
} });
const transfer = (entries: (object | null)[], files: File[] = []) => ({ items: entries.map((entry) => ({ kind: 'file', webkitGetAsEntry: () => entry })), files }) as unknown as DataTransfer;

it('walks folders to their end, and leaves hidden files', async () => {
  const folder = branch('/sd35', [leaf('/sd35/model_index.json'), branch('/sd35/transformer', [leaf('/sd35/transformer/a.safetensors'), leaf('/sd35/transformer/b.safetensors'), leaf('/sd35/transformer/c.safetensors')]), branch('/sd35/.git', [leaf('/sd35/.git/config')]), leaf('/sd35/.gitattributes')]);
  expect((await droppedFiles(transfer([folder, leaf('/clip_g.safetensors')]))).map(({ path }) => path)).toEqual(['sd35/model_index.json', 'sd35/transformer/a.safetensors', 'sd35/transformer/b.safetensors', 'sd35/transformer/c.safetensors', 'clip_g.safetensors']);
});

it('takes plain files where the browser tells of no entries', async () => {
  expect((await droppedFiles(transfer([null], [new File(['x'], 'a.safetensors')]))).map(({ path }) => path)).toEqual(['a.safetensors']);
});

it('refuses a folder with thousands of files', async () => {
  await expect(droppedFiles(transfer([branch('/home', Array.from({ length: 2001 }, (_, n) => leaf(`/home/${n}`)))]))).rejects.toThrow(/more than 2000 files/);
});

it('keeps the path of a chosen folder’s files', () => {
  const file = Object.defineProperty(new File(['x'], 'a.safetensors'), 'webkitRelativePath', { value: 'sd35/transformer/a.safetensors' });
  expect(chosenFiles([file, new File(['x'], 'b.safetensors')]).map(({ path }) => path)).toEqual(['sd35/transformer/a.safetensors', 'b.safetensors']);
});
