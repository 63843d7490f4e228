/**
 * Text chunks of PNG files: written before the picture data as tEXt where Latin-1 can say it, else as iTXt (UTF-8, uncompressed);
 * read from tEXt, zTXt and iTXt. Pixels are neither decoded nor touched. Source: PNG specification (third edition) §11.3.3.
 */
import { Fault } from '../protocol/faults';
import { invariant } from '../engine/invariant';
import { crc32 } from './crc32';
import { joinBytes } from './joinBytes';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Inflated text beyond this is not read: a few kilobytes of zTXt can claim gigabytes. */
const MAX_TEXT_BYTES = 8 * 1024 * 1024;

const latin1 = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
const isLatin1 = (text: string) => /^[\n\x20-\x7e\xa0-\xff]*$/.test(text);

export const isPng = (bytes: Uint8Array): boolean => bytes.length >= 8 && SIGNATURE.every((byte, i) => bytes[i] === byte);

/** Kind, data and range of each chunk, up to IEND or to where the file breaks off. */
function* chunksIn(bytes: Uint8Array): Generator<{ kind: string; data: Uint8Array; begin: number; end: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let begin = 8; begin + 12 <= bytes.length; ) {
    const end = begin + 12 + view.getUint32(begin);
    if (end > bytes.length) return;
    yield { kind: latin1(bytes.subarray(begin + 4, begin + 8)), data: bytes.subarray(begin + 8, end - 4), begin, end };
    begin = end;
  }
}

function chunk(kind: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = kind.charCodeAt(i);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

function textChunk(keyword: string, text: string): Uint8Array {
  invariant(/^[\x21-\x7e]([\x20-\x7e]{0,77}[\x21-\x7e])?$/.test(keyword), `“${keyword}” is no PNG keyword`);
  const value = isLatin1(text) ? Uint8Array.from(text, (c) => c.charCodeAt(0)) : new TextEncoder().encode(text);
  // iTXt: keyword, 0, compressed?, method, language, 0, translated keyword, 0, text. tEXt: keyword, 0, text.
  const head = [...keyword].map((c) => c.charCodeAt(0)).concat(isLatin1(text) ? [0] : [0, 0, 0, 0, 0]);
  const data = new Uint8Array(head.length + value.length);
  data.set(head);
  data.set(value, head.length);
  return chunk(isLatin1(text) ? 'tEXt' : 'iTXt', data);
}

const notPng = () => new Fault('file-not-a-picture', 'This file is not a PNG picture.', 'Use a PNG file.');

/** The same picture with these texts; earlier chunks with one of the keywords go. Faults: `file-not-a-picture`. */
export function writePngText(png: Uint8Array, texts: Record<string, string>): Uint8Array<ArrayBuffer> {
  if (!isPng(png)) throw notPng();
  const parts: Uint8Array[] = [png.subarray(0, 8)];
  for (const { kind, data, begin, end } of chunksIn(png)) {
    const replaced = ['tEXt', 'zTXt', 'iTXt'].includes(kind) && Object.hasOwn(texts, latin1(data.subarray(0, Math.max(0, data.indexOf(0)))));
    if (!replaced) parts.push(png.subarray(begin, end));
    if (kind === 'IHDR') for (const [keyword, text] of Object.entries(texts)) parts.push(textChunk(keyword, text));
  }
  return joinBytes(parts);
}

/** Null if it cannot be inflated or is longer than any text here should be. */
async function inflate(bytes: Uint8Array): Promise<Uint8Array | null> {
  const reader = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  const pieces: Uint8Array[] = [];
  let total = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      total += next.value.length;
      if (total > MAX_TEXT_BYTES) return null;
      pieces.push(next.value);
    }
  } catch (error) {
    if (error instanceof TypeError || (error as { code?: string }).code?.startsWith('Z_')) return null;
    throw error;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}

async function readText(kind: string, data: Uint8Array): Promise<{ keyword: string; text: string } | null> {
  const first = data.indexOf(0);
  if (first < 1) return null;
  const keyword = latin1(data.subarray(0, first));
  const rest = data.subarray(first + 1);
  if (kind === 'tEXt') return { keyword, text: latin1(rest) };
  if (kind === 'zTXt') {
    const bytes = await inflate(rest.subarray(1));
    return bytes && { keyword, text: latin1(bytes) };
  }
  const language = rest.indexOf(0, 2);
  const translated = language < 0 ? -1 : rest.indexOf(0, language + 1);
  if (translated < 0) return null;
  const value = rest.subarray(translated + 1);
  const bytes = rest[0] === 1 ? await inflate(value) : value;
  return bytes && { keyword, text: new TextDecoder().decode(bytes) };
}

/** All texts of a PNG by keyword, the first of each; damaged ones are left out. Empty for files that are no PNG. */
export async function readPngText(png: Uint8Array): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  if (!isPng(png)) return texts;
  for (const { kind, data } of chunksIn(png)) {
    if (kind !== 'tEXt' && kind !== 'zTXt' && kind !== 'iTXt') continue;
    const found = await readText(kind, data);
    if (found && !Object.hasOwn(texts, found.keyword)) texts[found.keyword] = found.text;
  }
  return texts;
}
