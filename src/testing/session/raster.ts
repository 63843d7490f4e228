/**
 * Pictures where there is no canvas: bitmaps are plain records that cross a MessagePort as they are, files are PNGs. On the page's
 * side `received` gives them back their `close` and counts who was closed.
 */
import type { Raster } from '../../worker/platform';
import { readPng, writePng } from '../png';

/** As the worker has it; a structured clone keeps its data and loses its class. */
class Plain {
  closed = false;
  constructor(readonly width: number, readonly height: number, readonly rgba: Uint8ClampedArray) {}
  close(): void {}
}
const bitmap = (width: number, height: number, rgba: Uint8ClampedArray) => new Plain(width, height, rgba) as unknown as ImageBitmap;
const data = (given: ImageBitmap) => given as unknown as Plain;

function cut(given: ImageBitmap, { x, y, size }: { x: number; y: number; size: number }, width: number, height = width, across = size): Uint8ClampedArray {
  const { width: stride, rgba } = data(given);
  const out = new Uint8ClampedArray(width * height * 4);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = 4 * ((y + Math.floor((row * size) / height)) * stride + x + Math.floor((column * across) / width));
      out.set(rgba.subarray(from, from + 4), 4 * (row * width + column));
    }
  }
  return out;
}

export const nodeRaster: Raster = {
  async decode(file) {
    const { width, height, pixels } = readPng(Buffer.from(await file.arrayBuffer()));
    const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
    for (let place = 0; place < width * height; place++) for (let c = 0; c < 3; c++) rgba[4 * place + c] = Math.round((pixels[3 * place + c]! + 1) * 127.5);
    return bitmap(width, height, rgba);
  },
  shrink: async (given, width, height) => bitmap(width, height, cut(given, { x: 0, y: 0, size: given.height }, width, height, given.width)),
  cut: (given, square, side) => cut(given, square, side),
  toBitmap: async ({ rgba, width, height }) => bitmap(width, height, rgba),
  async toPng({ rgba, width, height }) {
    const pixels = Float32Array.from({ length: width * height * 3 }, (_, i) => rgba[4 * Math.floor(i / 3) + (i % 3)]! / 127.5 - 1);
    return new Blob([new Uint8Array(writePng({ width, height, pixels }))], { type: 'image/png' });
  },
};

/** Every bitmap that has come to a page and has not been closed. */
export class OpenBitmaps {
  readonly open = new Set<ImageBitmap>();

  /** A message as the page would get it: bitmaps with their `close`. */
  received<T>(message: T): T {
    if (typeof message !== 'object' || message === null || ArrayBuffer.isView(message) || message instanceof Blob || message instanceof MessagePort) return message;
    for (const [key, value] of Object.entries(message)) {
      const found = value as Partial<Plain> | null;
      if (found?.rgba instanceof Uint8ClampedArray && typeof found.width === 'number') {
        const made = new Plain(found.width, found.height!, found.rgba) as unknown as ImageBitmap;
        made.close = () => { data(made).closed = true; this.open.delete(made); };
        this.open.add(made);
        (message as Record<string, unknown>)[key] = made;
      } else this.received(value);
    }
    return message;
  }
}

/** What a bitmap shows, to be compared. */
export const pixelsOf = (given: ImageBitmap | undefined): string => (given ? Buffer.from(data(given).rgba).toString('base64') : '');
export const isClosed = (given: ImageBitmap): boolean => data(given).closed;
