/**
 * What the worker needs of the browser beside tensors: pictures in and out, Web Locks, where the wasm files lie and where the
 * base's files come from. It is handed in, so that the session runs in Node with the same code (src/testing/session).
 */
import { wasmFiles } from '../engine/wasm/wasmFiles';
import type { Crop } from '../protocol/pictures';
import type { Database } from '../storage/db';
import { ensureBase, type EnsureOptions, type StoredBase } from '../storage/weightStore';
import type { Shown } from './present';

/** Pictures as the browser has them. A bitmap belongs to whoever was given it. */
export interface Raster {
  /** A picture file, turned as its EXIF data say. */
  decode(file: Blob): Promise<ImageBitmap>;
  /** A smaller copy. */
  shrink(bitmap: ImageBitmap, width: number, height: number): Promise<ImageBitmap>;
  /** A square of it as RGBA, side × side. */
  cut(bitmap: ImageBitmap, square: Crop, side: number): Uint8ClampedArray;
  toBitmap(shown: Shown): Promise<ImageBitmap>;
  toPng(shown: Shown): Promise<Blob>;
}

export interface Platform {
  raster: Raster;
  /** Null where there are none; then there is only one of us. */
  locks: LockManager | null;
  wasmPaths: string | Record<string, string>;
  /** For files of the app itself, and for models at an address. */
  fetch: typeof fetch;
  ensureBase(db: Database, id: string, baseUrl: string, options: EnsureOptions): Promise<StoredBase>;
}

const browserRaster: Raster = {
  decode: (file) => createImageBitmap(file, { imageOrientation: 'from-image' }),
  shrink: (bitmap, width, height) => createImageBitmap(bitmap, { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' }),
  cut(bitmap, { x, y, size }, side) {
    const canvas = new OffscreenCanvas(side, side);
    const context = canvas.getContext('2d', { willReadFrequently: true })!;
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, x, y, size, size, 0, 0, side, side);
    return context.getImageData(0, 0, side, side).data;
  },
  toBitmap: ({ rgba, width, height }) => createImageBitmap(new ImageData(rgba, width, height)),
  toPng({ rgba, width, height }) {
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext('2d')!.putImageData(new ImageData(rgba, width, height), 0, 0);
    return canvas.convertToBlob({ type: 'image/png' });
  },
};

export const browserPlatform = (): Platform => ({ raster: browserRaster, locks: globalThis.navigator?.locks ?? null, wasmPaths: wasmFiles, fetch: (...request) => fetch(...request), ensureBase });
