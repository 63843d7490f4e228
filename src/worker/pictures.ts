/**
 * The files the user gave: checked by their first bytes before anything is decoded, decoded by the browser with EXIF
 * orientation, kept as files (not as pixels), cropped and resized when they are needed.
 */
import { invariant } from '../engine/invariant';
import { Fault } from '../protocol/faults';
import type { Crop, PictureInfo } from '../protocol/pictures';
import { pictureKind, readPictureHeader, type PictureHeader } from './pictureHeader';
import type { Raster } from './platform';
import { resampleSquare } from './resample';

/** Decoded, this many take 256 MB; larger ones endanger the tab. */
const MOST_PIXELS = 64e6;
/** No picture of so many pixels needs more; larger files would only fill the memory before they fail. */
const MOST_BYTES = 256 * 2 ** 20;
/** Below this side there is nothing to learn from. */
const LEAST_SIDE = 16;
/** Longer side of the bitmap on a card. */
const CARD_SIDE = 512;
/** Crops larger than this are halved by the browser first, so that resampling stays within a second. */
const RESAMPLE_SIDE = 2048;

/** Enough to tell what a file is. */
const FIRST_BYTES = 64;

type Refusal = (code: ConstructorParameters<typeof Fault>[0], message: string, remedy: string) => Fault;
const refusalOf = (subject: string): Refusal => (code, message, remedy) => new Fault(code, message, remedy, { subject });

/** The whole file, if its first bytes are a picture's and its size is one that can be read; `subject` of its faults is the picture's id. */
export async function readPictureFile(file: Blob, name: string, pictureId: string): Promise<Uint8Array> {
  const fault = refusalOf(pictureId);
  if (file.size === 0) throw fault('file-empty', `“${name}” is empty.`, 'Choose another file.');
  const kind = pictureKind(new Uint8Array(await file.slice(0, FIRST_BYTES).arrayBuffer()));
  if (!kind) throw fault('file-not-a-picture', `“${name}” is not a picture this app can read, whatever its name says.`, 'Use PNG, JPEG, WebP, AVIF or GIF.');
  if (file.size > MOST_BYTES) throw fault('file-too-large', `“${name}” has ${Math.round(file.size / 2 ** 20)} MB; pictures of up to ${MOST_BYTES / 2 ** 20} MB can be opened.`, 'Save it as JPEG, or make it smaller.');
  return new Uint8Array(await file.arrayBuffer());
}

/** What a picture's bytes say; throws what is wrong with them. */
export function checkPicture(bytes: Uint8Array, name: string, pictureId: string): PictureHeader {
  const fault = refusalOf(pictureId);
  const header = readPictureHeader(bytes);
  invariant(header, 'readPictureFile lets only pictures through');
  const { width, height } = header;
  if (width * height > MOST_PIXELS) {
    throw fault('picture-too-large', `“${name}” has ${width} × ${height} pixels, ${Math.round((width * height) / 1e6)} million; up to ${MOST_PIXELS / 1e6} million can be opened.`, 'Make it smaller; 2,000 pixels a side are plenty.');
  }
  if (header.truncated) throw fault('file-truncated', `“${name}” ends before its picture does.`, 'Copy or download it again.');
  if (Math.min(width, height) < LEAST_SIDE) throw fault('picture-too-small', `“${name}” has only ${width} × ${height} pixels.`, `Use a picture of at least ${LEAST_SIDE} pixels a side.`);
  return header;
}

async function decode(raster: Raster, file: Blob, name: string, pictureId: string, kind?: PictureHeader['kind']): Promise<ImageBitmap> {
  try {
    return await raster.decode(file);
  } catch (cause) {
    if (kind === 'heic') throw new Fault('file-not-a-picture', `“${name}” is a HEIC picture, as iPhones save them, and this browser cannot read it.`, 'Save it as JPEG, or open this page in Safari.', { subject: pictureId, cause });
    throw new Fault('file-truncated', `“${name}” begins like a picture, but the browser cannot read it to the end.`, 'Copy or download it again.', { subject: pictureId, cause });
  }
}

/** A smaller copy for a card; the given bitmap is closed if it is not returned itself. */
async function forCard(raster: Raster, bitmap: ImageBitmap, side: number): Promise<ImageBitmap> {
  const scale = side / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return bitmap;
  const small = await raster.shrink(bitmap, Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  bitmap.close();
  return small;
}

export interface KeptPicture { pictureId: string; name: string; file: Blob }

export class Pictures {
  private readonly kept = new Map<string, KeptPicture>();

  constructor(private readonly raster: Raster) {}

  /** Reads and keeps a file; `shown: false` gives a bitmap of next to nothing. Faults as above, with the picture's id as subject. */
  async add(file: Blob, name: string, pictureId: string, { shown = true }: { shown?: boolean } = {}): Promise<PictureInfo & { animated: boolean }> {
    const { kind, animated } = checkPicture(await readPictureFile(file, name, pictureId), name, pictureId);
    const bitmap = await decode(this.raster, file, name, pictureId, kind);
    const { width, height } = bitmap;
    const size = Math.min(width, height);
    this.kept.set(pictureId, { pictureId, name, file });
    return { pictureId, name, width, height, crop: { x: Math.floor((width - size) / 2), y: Math.floor((height - size) / 2), size }, animated, bitmap: await forCard(this.raster, bitmap, shown ? CARD_SIDE : 1) };
  }

  /** Takes up a picture that was read before this worker began. */
  keep({ pictureId, name, file }: KeptPicture): void {
    this.kept.set(pictureId, { pictureId, name, file });
  }

  get(pictureId: string): KeptPicture {
    const picture = this.kept.get(pictureId);
    if (!picture) throw new Fault('file-unrecognised', 'This picture is no longer in the worker.', 'Drop its file again.', { subject: pictureId });
    return picture;
  }

  forget(pictureId: string): void {
    this.kept.delete(pictureId);
  }

  /** The crop as [side·side·3] in −1…1. */
  pixels(pictureId: string, crop: Crop, side: number): Promise<Float32Array> {
    const { file, name } = this.get(pictureId);
    return cropPixels(this.raster, { file, name, pictureId }, crop, side);
  }
}

/** Decodes a file and cuts the square out, at most `most` pixels wide. */
async function cutOut(raster: Raster, { file, name, pictureId }: KeptPicture, crop: Crop, most: number): Promise<{ rgba: Uint8ClampedArray; side: number }> {
  const whole = await decode(raster, file, name, pictureId);
  const size = Math.max(1, Math.min(Math.round(crop.size), whole.width, whole.height));
  const x = Math.min(Math.max(0, Math.round(crop.x)), whole.width - size);
  const y = Math.min(Math.max(0, Math.round(crop.y)), whole.height - size);
  const side = Math.min(size, most);
  const rgba = raster.cut(whole, { x, y, size }, side);
  whole.close();
  return { rgba, side };
}

/** Decodes a file, cuts the square out and resizes it to `side`: [side·side·3] in −1…1. */
export async function cropPixels(raster: Raster, picture: KeptPicture, crop: Crop, side: number): Promise<Float32Array> {
  const cut = await cutOut(raster, picture, crop, RESAMPLE_SIDE);
  return resampleSquare(cut.rgba, cut.side, side);
}

/** The square as a PNG file in its own size, at most `most` pixels wide. */
export async function cropPng(raster: Raster, picture: KeptPicture, crop: Crop, most: number): Promise<Uint8Array> {
  const { rgba, side } = await cutOut(raster, picture, crop, most);
  return new Uint8Array(await (await raster.toPng({ rgba: new Uint8ClampedArray(rgba), width: side, height: side })).arrayBuffer());
}
