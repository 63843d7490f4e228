/**
 * Zip archives whose entries are stored, not compressed: read, as PyTorch writes them, and written, for folders that leave the
 * page as one file. No zip64: 4 GB and 65,535 entries at most. Source: PKWARE APPNOTE 6.3.10 §4.3.
 */
import { invariant } from '../engine/invariant';
import { Fault } from '../protocol/faults';
import { crc32 } from './crc32';

const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50;
const LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22;
/** UTF-8 names (bit 11). */
const UTF8 = 0x0800;
/** 1 January 1980, the zero of zip's calendar: the same content gives the same bytes. */
const NO_DATE = 0x0021;
const MOST_ENTRIES = 1000;

const broken = (file: string, found: string) => new Fault('file-unrecognised', `“${file}” is a zip archive that cannot be read: ${found}.`, 'Get the file again from where it came from.', { subject: file });
const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Contents by name, as views into `bytes`. Faults: `file-unrecognised`, saying what is wrong. */
export function readZip(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const data = view(bytes);
  let end = bytes.length - END_BYTES;
  while (end >= Math.max(0, bytes.length - END_BYTES - 65_535) && data.getUint32(end, true) !== END) end--;
  if (end < 0 || data.getUint32(end, true) !== END) throw broken(file, 'its list of contents is missing, as in a file that was cut short');
  const count = data.getUint16(end + 10, true);
  if (count > MOST_ENTRIES) throw broken(file, `it has ${count} entries, more than this app reads`);
  const entries = new Map<string, Uint8Array>();
  let at = data.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > bytes.length || data.getUint32(at, true) !== CENTRAL) throw broken(file, 'its list of contents is damaged');
    const [flags, method, crc, packed, size] = [data.getUint16(at + 8, true), data.getUint16(at + 10, true), data.getUint32(at + 16, true), data.getUint32(at + 20, true), data.getUint32(at + 24, true)];
    const [nameBytes, extra, comment, local] = [data.getUint16(at + 28, true), data.getUint16(at + 30, true), data.getUint16(at + 32, true), data.getUint32(at + 42, true)];
    const name = new TextDecoder().decode(bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes));
    at += CENTRAL_BYTES + nameBytes + extra + comment;
    if (flags & 1) throw broken(file, 'it is encrypted');
    if (method !== 0 || packed !== size) throw broken(file, 'its contents are compressed, which PyTorch’s never are');
    if (local + LOCAL_BYTES > bytes.length || data.getUint32(local, true) !== LOCAL) throw broken(file, 'an entry is not where its list says');
    const begin = local + LOCAL_BYTES + data.getUint16(local + 26, true) + data.getUint16(local + 28, true);
    if (begin + size > bytes.length) throw broken(file, 'an entry reaches beyond the end');
    if (entries.has(name)) throw broken(file, 'it names an entry twice');
    const content = bytes.subarray(begin, begin + size);
    if (crc32(content) !== crc) throw broken(file, 'an entry’s checksum is wrong');
    entries.set(name, content);
  }
  return entries;
}

/** A name that stays inside the folder it is unpacked into, on every system. */
const isInside = (name: string) => name !== '' && !name.startsWith('/') && !name.includes('\\') && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');

/** The archive's bytes, in the order given; the same contents give the same bytes. Executable where `runs` says so. */
export function writeZip(contents: Readonly<Record<string, Uint8Array>>, runs: readonly string[] = []): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(contents).map(([name, content]) => {
    invariant(isInside(name), `“${name}” is no name for a file in an archive`);
    return { name, content, encoded: new TextEncoder().encode(name), crc: crc32(content) };
  });
  const bodies = entries.reduce((sum, { encoded, content }) => sum + LOCAL_BYTES + encoded.length + content.length, 0);
  const central = entries.reduce((sum, { encoded }) => sum + CENTRAL_BYTES + encoded.length, 0);
  if (bodies + central + END_BYTES > 0xffffffff || entries.length > 0xffff) throw new Fault('file-too-large', 'All of it together is more than one zip archive holds (4 GB).', 'Use fewer pictures.');
  const out = new Uint8Array(bodies + central + END_BYTES);
  const data = view(out);
  /** Version needed, flags, method, time, date, CRC, both sizes, length of the name. */
  const common = (at: number, { crc, content, encoded }: (typeof entries)[number]) => {
    data.setUint16(at, 20, true);
    data.setUint16(at + 2, UTF8, true);
    data.setUint16(at + 8, NO_DATE, true);
    data.setUint32(at + 10, crc, true);
    data.setUint32(at + 14, content.length, true);
    data.setUint32(at + 18, content.length, true);
    data.setUint16(at + 22, encoded.length, true);
  };
  let [at, listed] = [0, bodies];
  for (const entry of entries) {
    data.setUint32(listed, CENTRAL, true);
    data.setUint16(listed + 4, (3 << 8) | 20, true); // made on Unix, whose modes follow
    common(listed + 6, entry);
    data.setUint32(listed + 38, ((runs.includes(entry.name) ? 0o100755 : 0o100644) << 16) >>> 0, true);
    data.setUint32(listed + 42, at, true);
    out.set(entry.encoded, listed + CENTRAL_BYTES);
    listed += CENTRAL_BYTES + entry.encoded.length;
    data.setUint32(at, LOCAL, true);
    common(at + 4, entry);
    out.set(entry.encoded, at + LOCAL_BYTES);
    out.set(entry.content, at + LOCAL_BYTES + entry.encoded.length);
    at += LOCAL_BYTES + entry.encoded.length + entry.content.length;
  }
  data.setUint32(listed, END, true);
  data.setUint16(listed + 8, entries.length, true);
  data.setUint16(listed + 10, entries.length, true);
  data.setUint32(listed + 12, central, true);
  data.setUint32(listed + 16, bodies, true);
  return out;
}
