/** Files that leave the page and come back: downloads, exported LoRAs and their tensors, and files dropped on the page as a user drops them. */
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { at, ids } from './studio';

export interface SavedFile { name: string; mimeType: string; buffer: Buffer }

/** What a click saves. */
export async function saved(page: Page, click: () => Promise<void>): Promise<SavedFile> {
  const [download] = await Promise.all([page.waitForEvent('download'), click()]);
  const name = download.suggestedFilename();
  return { name, mimeType: name.endsWith('.png') ? 'image/png' : 'application/octet-stream', buffer: await readFile(await download.path()) };
}

/** Exports the first concept of the Shelf, which must be open. */
export async function exportFirst(page: Page): Promise<SavedFile> {
  await at(page, 'concept-export-0').click();
  await page.waitForSelector(`[data-testid=${ids.exportSave}]:not([disabled])`);
  const file = await saved(page, () => at(page, ids.exportSave).click());
  await page.keyboard.press('Escape');
  await at(page, ids.exportDialog).waitFor({ state: 'detached' });
  return file;
}

/** Header without metadata, and all tensor bytes, of a safetensors file. */
export function readTensors({ buffer }: SavedFile): { names: string[]; layout: string; metadata: Record<string, string>; bytes: Buffer } {
  const dataBegin = 8 + Number(buffer.readBigUInt64LE(0));
  const { __metadata__: metadata, ...tensors } = JSON.parse(buffer.subarray(8, dataBegin).toString()) as Record<string, Record<string, string>>;
  return { names: Object.keys(tensors), layout: JSON.stringify(tensors), metadata: metadata ?? {}, bytes: buffer.subarray(dataBegin) };
}

/** Drops a file anywhere on the page. */
export async function dropOnPage(page: Page, { name, mimeType, buffer }: SavedFile): Promise<void> {
  const transfer = await page.evaluateHandle(([fileName, type, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], fileName, { type }));
    return files;
  }, [name, mimeType, buffer.toString('base64')] as const);
  await page.dispatchEvent('header', 'drop', { dataTransfer: transfer });
}
