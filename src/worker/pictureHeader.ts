/**
 * What a file's first bytes say, before anything is decoded: which kind of picture it is, its size in pixels, and whether
 * the file ends before the picture does. PNG, JPEG, WebP, GIF, AVIF and HEIC, which few browsers can read; anything else is no picture to us.
 */
export interface PictureHeader { kind: 'png' | 'jpeg' | 'webp' | 'gif' | 'avif' | 'heic'; width: number; height: number; truncated: boolean; /** It has more than one frame. */ animated: boolean }

const ascii = (bytes: Uint8Array, at: number, length: number) => String.fromCharCode(...bytes.subarray(at, at + length));
const endsWith = (bytes: Uint8Array, tail: readonly number[], within: number): boolean => {
  for (let at = bytes.length - tail.length; at >= Math.max(0, bytes.length - within); at--) if (tail.every((byte, i) => bytes[at + i] === byte)) return true;
  return false;
};
/** Cameras append thumbnails and padding behind the end marker. */
const TRAILING_BYTES = 1 << 20;

function jpegSize(bytes: Uint8Array, view: DataView): [number, number] | null {
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1]!;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += marker === 0xff ? 1 : marker >= 0xd0 && marker <= 0xd8 ? 2 : 2 + view.getUint16(at + 2);
  }
  return null;
}

/** Where the picture's own data begin: behind all segments, thumbnails within them included. */
function jpegScan(bytes: Uint8Array, view: DataView): number {
  for (let at = 2; at + 4 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1]!;
    if (marker === 0xda) return at;
    at += marker === 0xff ? 1 : marker >= 0xd0 && marker <= 0xd8 ? 2 : 2 + view.getUint16(at + 2);
  }
  return bytes.length;
}

function webpSize(bytes: Uint8Array, view: DataView): [number, number] | null {
  if (bytes.length < 30) return null;
  const kind = ascii(bytes, 12, 4);
  const long = (at: number) => bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  if (kind === 'VP8X') return [long(24) + 1, long(27) + 1];
  if (kind === 'VP8L') {
    const bits = view.getUint32(21, true);
    return [(bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1];
  }
  return kind === 'VP8 ' ? [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff] : null;
}

/** The first image spatial extents property ('ispe') of an AVIF or HEIC file. */
function avifSize(bytes: Uint8Array, view: DataView): [number, number] | null {
  for (let at = 16; at + 16 <= Math.min(bytes.length, 65_536); at++) if (ascii(bytes, at, 4) === 'ispe') return [view.getUint32(at + 8), view.getUint32(at + 12)];
  return null;
}

/** Whether a second frame follows: an animation control chunk of more than one frame before the picture's data. */
function pngMoves(bytes: Uint8Array, view: DataView): boolean {
  for (let at = 8; at + 16 <= bytes.length; at += 12 + view.getUint32(at)) {
    const kind = ascii(bytes, at + 4, 4);
    if (kind === 'acTL') return view.getUint32(at + 8) > 1;
    if (kind === 'IDAT') return false;
  }
  return false;
}

/** Whether there are two images: walks the blocks, each a chain of pieces that begin with their length. */
function gifMoves(bytes: Uint8Array): boolean {
  const table = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  const afterPieces = (at: number) => {
    while (at < bytes.length && bytes[at] !== 0) at += bytes[at]! + 1;
    return at + 1;
  };
  let frames = 0;
  for (let at = 13 + table(bytes[10] ?? 0); at < bytes.length && bytes[at] !== 0x3b; ) {
    if (bytes[at] === 0x21) at = afterPieces(at + 2);
    else if (bytes[at] === 0x2c && ++frames < 2) at = afterPieces(at + 11 + table(bytes[at + 9] ?? 0));
    else break;
  }
  return frames > 1;
}

/** Brands of the ISO container, the file's own and those it can be read as. */
function brands(bytes: Uint8Array, view: DataView): string | null {
  return bytes.length >= 12 && ascii(bytes, 4, 4) === 'ftyp' ? ascii(bytes, 8, Math.max(4, Math.min(view.getUint32(0), 128, bytes.length) - 8)) : null;
}

/** What a file's first bytes say it is; enough to refuse anything else unread. */
export function pictureKind(bytes: Uint8Array): PictureHeader['kind'] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 4 && bytes[0] === 0x89 && ascii(bytes, 1, 3) === 'PNG') return 'png';
  if (bytes.length >= 3 && bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (/^GIF8[79]a/.test(ascii(bytes, 0, 6))) return 'gif';
  if (bytes.length >= 12 && ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 4) === 'WEBP') return 'webp';
  const brand = brands(bytes, view);
  if (brand && /avif|avis/.test(brand)) return 'avif';
  return brand && /hei[cxms]|hev[cxms]|mif1|msf1/.test(brand) ? 'heic' : null;
}

/** Null for what is no picture of a kind we read. Sizes are 0 where the header breaks off before them. */
export function readPictureHeader(bytes: Uint8Array): PictureHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = pictureKind(bytes);
  const made = (size: [number, number] | null, whole: boolean, animated: boolean): PictureHeader => ({ kind: kind!, width: size?.[0] ?? 0, height: size?.[1] ?? 0, truncated: !size || !whole, animated });
  switch (kind) {
    case null: return null;
    case 'png': return made(bytes.length >= 24 ? [view.getUint32(16), view.getUint32(20)] : null, endsWith(bytes, [0x49, 0x45, 0x4e, 0x44], TRAILING_BYTES), pngMoves(bytes, view));
    case 'jpeg': return made(jpegSize(bytes, view), endsWith(bytes.subarray(jpegScan(bytes, view)), [0xff, 0xd9], TRAILING_BYTES), false);
    case 'gif': return made(bytes.length >= 10 ? [view.getUint16(6, true), view.getUint16(8, true)] : null, bytes.length > 20, gifMoves(bytes));
    case 'webp': return made(webpSize(bytes, view), view.getUint32(4, true) + 8 <= bytes.length + 1, ascii(bytes, 12, 4) === 'VP8X' && (bytes[20]! & 2) !== 0);
    case 'avif': case 'heic': return made(avifSize(bytes, view), true, /avis|msf1|hev/.test(brands(bytes, view)!.slice(0, 4)));
  }
}
