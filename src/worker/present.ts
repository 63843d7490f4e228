/** Tensor → what a page can show: 8-bit pixels, rounded as diffusers does, and PNGs made of them. */
import type { Tensor4D } from '../engine/tf';
import { writePictureParameters, type PictureRecipe } from '../formats/pngParameters';
import type { Raster } from './platform';

/** RGBA of one picture. */
export interface Shown { rgba: Uint8ClampedArray<ArrayBuffer>; width: number; height: number }

/** [w·h·3] in −1…1 → RGBA. Clamped and rounded. */
export function toShown(pixels: ArrayLike<number>, width: number, height: number, from = 0): Shown {
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let place = 0; place < width * height; place++) {
    for (let c = 0; c < 3; c++) rgba[4 * place + c] = Math.round((pixels[from + 3 * place + c]! + 1) * 127.5);
    rgba[4 * place + 3] = 255;
  }
  return { rgba, width, height };
}

/** Every picture of a batch [K,H,W,3]. */
export async function shownBatch(pixels: Tensor4D): Promise<Shown[]> {
  const [count, height, width] = pixels.shape;
  const values = await pixels.data<'float32'>();
  return Array.from({ length: count }, (_, i) => toShown(values, width, height, i * height * width * 3));
}

/** PNG with everything that decides its pixels in its text chunks. */
export async function toPictureFile(raster: Raster, shown: Shown, recipe: PictureRecipe): Promise<Blob> {
  const png = new Uint8Array(await (await raster.toPng(shown)).arrayBuffer());
  return new Blob([writePictureParameters(png, recipe)], { type: 'image/png' });
}

/** Pictures in rows, as one. */
export function sheet(pictures: readonly Shown[], columns: number): Shown {
  const { width, height } = pictures[0]!;
  const rows = Math.ceil(pictures.length / columns);
  const all = new Uint8ClampedArray(columns * width * rows * height * 4);
  pictures.forEach(({ rgba }, i) => {
    const left = (i % columns) * width;
    const top = Math.floor(i / columns) * height;
    for (let y = 0; y < height; y++) all.set(rgba.subarray(4 * y * width, 4 * (y + 1) * width), 4 * ((top + y) * columns * width + left));
  });
  return { rgba: all, width: columns * width, height: rows * height };
}
