/** PNG in Node without a library: 8-bit RGB(A) or grey, not interlaced, which is what the sample sets are and sheets become. */
import { deflateSync, inflateSync } from 'node:zlib';

export interface Picture { width: number; height: number; /** [height·width·3], −1…1 */ pixels: Float32Array }

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

function paeth(a: number, b: number, c: number): number {
  const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c);
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

export function readPng(file: Buffer): Picture {
  if (!file.subarray(0, 8).equals(SIGNATURE)) throw new Error('not a PNG');
  const data: Buffer[] = [];
  let width = 0, height = 0, channels = 0;
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at), type = file.toString('latin1', at + 4, at + 8), body = file.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') {
      width = body.readUInt32BE(0);
      height = body.readUInt32BE(4);
      channels = { 0: 1, 2: 3, 6: 4 }[body[9]!] ?? 0;
      if (body[8] !== 8 || channels === 0 || body[12] !== 0) throw new Error('this reader takes 8-bit grey, RGB and RGBA without interlace');
    } else if (type === 'IDAT') data.push(body);
    at += 12 + length;
  }
  const raw = inflateSync(Buffer.concat(data));
  const stride = width * channels;
  const bytes = new Uint8Array(height * stride);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const i = y * stride + x;
      const left = x >= channels ? bytes[i - channels]! : 0, up = y > 0 ? bytes[i - stride]! : 0, corner = x >= channels && y > 0 ? bytes[i - stride - channels]! : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
      bytes[i] = raw[y * (stride + 1) + 1 + x]! + guess;
    }
  }
  const pixels = new Float32Array(width * height * 3);
  for (let p = 0; p < width * height; p++) for (let c = 0; c < 3; c++) pixels[p * 3 + c] = bytes[p * channels + (channels < 3 ? 0 : c)]! / 127.5 - 1;
  return { width, height, pixels };
}

const crcTable = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});
const crc = (bytes: Buffer): number => (bytes.reduce((c, byte) => crcTable[(c ^ byte) & 255]! ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;

function chunk(type: string, body: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const length = Buffer.alloc(4), check = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  check.writeUInt32BE(crc(typed));
  return Buffer.concat([length, typed, check]);
}

export function writePng({ width, height, pixels }: Picture): Buffer {
  const raw = Buffer.alloc(height * (width * 3 + 1));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width * 3; x++) raw[y * (width * 3 + 1) + 1 + x] = Math.round(Math.min(1, Math.max(-1, pixels[y * width * 3 + x]!)) * 127.5 + 127.5);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', deflateSync(raw)), chunk('IEND', Buffer.alloc(0))]);
}

/** Square pictures [n·size·size·3], row by row, as one sheet. */
export function contactSheet(pictures: Float32Array, size: number, columns: number): Picture {
  const count = pictures.length / (size * size * 3);
  const rows = Math.ceil(count / columns);
  const pixels = new Float32Array(rows * columns * size * size * 3).fill(1);
  for (let n = 0; n < count; n++) {
    for (let y = 0; y < size; y++) {
      const from = (n * size + y) * size * 3;
      pixels.set(pictures.subarray(from, from + size * 3), ((Math.floor(n / columns) * size + y) * columns + (n % columns)) * size * 3);
    }
  }
  return { width: columns * size, height: rows * size, pixels };
}
