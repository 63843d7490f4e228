/** Files no picture can be made of get a named error on their card and never stop the others; odd pictures are read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { root } from '../scripts/prepare.mjs';
import { at, baseReady, ids, openStage, visit, type Stage } from './studio';
import { dropOnPage } from './files';
import { closePrivate } from './watch';

let stage: Stage;
// one each: pictures that a test leaves on the page would be there again after a reload, if it took its time
beforeEach(async () => { stage = await openStage(); });
afterEach(() => closePrivate(stage));

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => { let c = n; for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1; return c; });
const crc = (bytes: Buffer) => { let c = 0xffffffff; for (const byte of bytes) c = crcTable[(c ^ byte) & 255]! ^ (c >>> 8); return (c ^ 0xffffffff) >>> 0; };
const chunk = (type: string, data: Buffer) => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
};
/** A PNG whose header says this size; its pixel data is one row. */
function headerOnly(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.alloc(64))), chunk('IEND', Buffer.alloc(0))]);
}

/** Encodes a wide two-coloured picture in the browser; null where it has no such encoder. */
async function encoded(type: string): Promise<Buffer | null> {
  const url = await stage.page.evaluate((wanted) => {
    const canvas = document.createElement('canvas');
    canvas.width = 160;
    canvas.height = 80;
    const context = canvas.getContext('2d')!;
    context.fillStyle = 'red';
    context.fillRect(0, 0, 80, 80);
    context.fillStyle = 'blue';
    context.fillRect(80, 0, 80, 80);
    return canvas.toDataURL(wanted);
  }, type);
  return url.startsWith(`data:${type}`) ? Buffer.from(url.split(',')[1]!, 'base64') : null;
}

/** The JPEG with an EXIF orientation of 6: to be turned a quarter clockwise. */
function turned(jpeg: Buffer): Buffer {
  const tiff = Buffer.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]);
  const body = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff]);
  return Buffer.concat([jpeg.subarray(0, 2), Buffer.from([0xff, 0xe1, 0, body.length + 2]), body, jpeg.subarray(2)]);
}

/** A GIF of one red pixel square, 16 × 16, from its smallest form. */
const gif = Buffer.from('R0lGODlhEAAQAIAAAP8AAAAAACH5BAAAAAAALAAAAAAQABAAAAIOhI+py+0Po5y02ouzPgUAOw==', 'base64');

/** Drops files on an empty page and waits until each has been read or refused. */
async function dropAll(files: { name: string; mimeType: string; buffer: Buffer }[], cards = files.length): Promise<void> {
  const { page } = stage;
  await visit(stage);
  await baseReady(page);
  await at(page, ids.dropInput).setInputFiles(files);
  await page.waitForFunction((count) => document.querySelectorAll('.card[data-state]').length === count && !document.querySelector('[data-state=reading]'), cards);
}

it('names what is wrong with each file and goes on with the others', async () => {
  const { page } = stage;
  const picture = await readFile(join(root, 'public', 'concepts', 'guide-dog', '1.png'));
  const jpeg = (await encoded('image/jpeg'))!;
  const png = (name: string, buffer: Buffer) => ({ name, mimeType: 'image/png', buffer });
  const files = [
    { ...png('empty.png', Buffer.alloc(0)), code: 'file-empty' },
    { ...png('cut.png', picture.subarray(0, picture.length >> 1)), code: 'file-truncated' },
    { ...png('cut.jpg', jpeg.subarray(0, jpeg.length >> 1)), mimeType: 'image/jpeg', code: 'file-truncated' },
    { ...png('letter.png', Buffer.from('This is a letter, not a picture.\n'.repeat(20))), code: 'file-not-a-picture' },
    { ...png('huge.png', headerOnly(12_000, 9_000)), code: 'picture-too-large' },
    { ...png('nothing.png', headerOnly(0, 0)), code: 'picture-too-small' },
    { ...png('good.png', picture), code: null },
  ];
  await dropAll(files.map(({ name, mimeType, buffer }) => ({ name, mimeType, buffer })));
  for (const [n, { name, code }] of files.entries()) {
    expect(`${name} ${await at(page, `card-${n}`).getAttribute('data-code')}`).toBe(`${name} ${code}`);
    if (code) expect(await at(page, `card-error-${n}`).innerText()).toContain(name);
  }
  expect(await at(page, 'card-6').getAttribute('data-state')).toBe('ready');
  await at(page, ids.classWord).fill('dog');
  expect(await at(page, ids.learn).isEnabled()).toBe(true);
  expect(stage.errors.filter((text) => !text.startsWith('Failed to load resource'))).toEqual([]);
});

it('takes twenty pictures of twenty-one and says so', async () => {
  const { page } = stage;
  const buffer = await readFile(join(root, 'public', 'concepts', 'guide-dog', '2.png'));
  await dropAll(Array.from({ length: 21 }, (_, n) => ({ name: `${n}.png`, mimeType: 'image/png', buffer })), 20);
  expect(await at(page, ids.fault).getAttribute('data-code')).toBe('too-many-pictures');
  expect(await page.locator('.card[data-state=ready]').count()).toBe(20);
});

it('reads JPEG with its orientation, WebP, AVIF and GIF', async () => {
  const { page } = stage;
  const jpeg = (await encoded('image/jpeg'))!;
  const others = await Promise.all(['image/webp', 'image/avif'].map(async (mimeType) => ({ name: `picture.${mimeType.slice(6)}`, mimeType, buffer: await encoded(mimeType) })));
  const files = [{ name: 'turned.jpg', mimeType: 'image/jpeg', buffer: turned(jpeg) }, { name: 'picture.gif', mimeType: 'image/gif', buffer: gif }, ...others.flatMap((file) => (file.buffer ? [{ ...file, buffer: file.buffer }] : []))];
  await dropAll(files);
  for (const [n, { name }] of files.entries()) expect(`${name} ${await at(page, `card-${n}`).getAttribute('data-state')}`).toBe(`${name} ready`);
  // Turned a quarter clockwise, red stands above blue in the card's centred square.
  const [top, bottom] = await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('[data-testid="card-0"] canvas')!;
    const context = canvas.getContext('2d')!;
    const pixel = (part: number) => [...context.getImageData(Math.floor(canvas.width / 2), Math.floor(canvas.height * part), 1, 1).data.slice(0, 3)];
    return [pixel(0.2), pixel(0.8)];
  });
  expect(top![0]).toBeGreaterThan(200);
  expect(bottom![2]).toBeGreaterThan(200);
});

it('takes a picture dropped beside the zone, another tool’s parameters in it or not', async () => {
  const { page } = stage;
  const picture = await readFile(join(root, 'public', 'concepts', 'guide-dog', '1.png'));
  await visit(stage);
  await baseReady(page);
  await dropOnPage(page, { name: 'plain.png', mimeType: 'image/png', buffer: picture });
  // one picture is looked at by itself; a second one makes a data set of it
  await at(page, ids.maskBrush).waitFor();
  const said = chunk('tEXt', Buffer.from('parameters\0a dog on a beach\nSteps: 12, Sampler: Euler, CFG scale: 4, Seed: 7', 'latin1'));
  await dropOnPage(page, { name: 'drawn.png', mimeType: 'image/png', buffer: Buffer.concat([picture.subarray(0, 33), said, picture.subarray(33)]) });
  for (const card of ['card-0', 'card-1']) await page.waitForSelector(`[data-testid=${card}][data-state=ready]`);
  await page.getByRole('button', { name: 'Use its prompt' }).click();
  expect(await at(page, ids.prompt).inputValue()).toBe('a dog on a beach');
});
