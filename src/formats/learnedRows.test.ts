import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Fault } from '../protocol/faults';
import { readLearnedRows, writeLearnedRows } from './learnedRows';
import { openSafetensors } from './safetensors';
import { writeSafetensors } from './safetensorsWriter';
import { readZip, writeZip } from './zip';

const fixture = async (name: string) => new Uint8Array(await readFile(`fixtures/sd3/${name}`));
const read = (bytes: Uint8Array<ArrayBuffer>, name = 'learned_embeds.pt') => readLearnedRows(new Blob([bytes]), name);
const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });

/** A pickle in opcodes and arguments: numbers are bytes, texts are themselves. */
const pickled = (...parts: (number | string)[]): Uint8Array<ArrayBuffer> => Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...new TextEncoder().encode(part)])));
const word = (text: string) => [0x8c, text.length, text];
const int = (n: number) => [0x4d, n & 255, n >> 8];
/** A tensor of `count` stored numbers, read with offset, shape and strides. */
const tensor = ({ storage = 'FloatStorage', count = 4, offset = 0, shape = 4, stride = 1, rebuild = 'torch._utils\n_rebuild_tensor_v2\n' } = {}) => [
  0x63, rebuild, 0x28, 0x28, ...word('storage'), 0x63, `torch\n${storage}\n`, ...word('0'), ...word('cpu'), ...int(count), 0x74, 0x51,
  ...int(offset), ...int(shape), 0x85, ...int(stride), 0x85, 0x89, 0x63, 'collections\nOrderedDict\n', 0x29, 0x52, 0x74, 0x52,
];
const dictionary = (...items: (number | string)[]) => pickled(0x80, 2, 0x7d, 0x28, ...items, 0x75, 0x2e);
const archive = (pickle: Uint8Array, storage = new Uint8Array(Float32Array.from([1, 2, 3, 4]).buffer)) => writeZip({ 'x/data.pkl': pickle, 'x/byteorder': new TextEncoder().encode('little'), 'x/data/0': storage });

describe('learned words', () => {
  it('are read from what PureCC’s scripts save, equal to their safetensors twin', async () => {
    const [pt, twin] = [await read(await fixture('learned_embeds.pt')), await read(await fixture('learned_embeds.safetensors'))];
    expect(pt).toMatchObject({ token: '<new1>', startedFrom: 'dog', t5: null });
    expect(pt.clipL!.shape).toEqual([1, 32]);
    expect(pt.clipG!.shape).toEqual([1, 48]);
    expect(pt).toEqual(twin);
    expect(pt.clipL!.data.some((value) => value !== 0)).toBe(true);
  });

  it('are written in the form that other tools read, and read back the same', async () => {
    const rows = await read(await fixture('learned_embeds.pt'));
    const bytes = writeLearnedRows(rows);
    expect(await read(bytes, 'word.safetensors')).toEqual(rows);
    const twin = openSafetensors(await fixture('learned_embeds.safetensors'));
    expect([...openSafetensors(bytes).keys()].sort()).toEqual([...twin.keys()].sort());
    expect(openSafetensors(writeLearnedRows({ ...rows, clipG: null, token: null, startedFrom: null })).keys()).toEqual(['clip_l']);
  });

  it('may be views of a table, halves, and parameters', async () => {
    const row = await read(archive(dictionary(...word('embedding_one'), ...tensor({ offset: 1, shape: 2, stride: 2 }))));
    expect([...row.clipL!.data]).toEqual([2, 4]);
    const halves = await read(archive(dictionary(...word('embedding_two'), ...tensor({ storage: 'HalfStorage' })), new Uint8Array(Uint16Array.from([0x3c00, 0xc000, 0, 0x3800]).buffer)));
    expect(halves).toMatchObject({ clipL: null, clipG: { shape: [1, 4] } });
    expect([...halves.clipG!.data]).toEqual([1, -2, 0, 0.5]);
  });

  it('of the safetensors form may have several tokens, and rows for T5', async () => {
    const rows = await read(writeSafetensors({ clip_g: zeros(3, 8), t5xxl: zeros(2, 16) }), 'word.safetensors');
    expect(rows).toMatchObject({ clipL: null, clipG: { shape: [3, 8] }, t5: { shape: [2, 16] }, token: null });
  });
});

describe('pickles that are more than data', () => {
  it.each<[string, Uint8Array<ArrayBuffer>, string]>([
    ['a call of the system', pickled(0x80, 2, 0x63, 'os\nsystem\n', ...word('true'), 0x85, 0x52, 0x2e), 'it asks for os.system of Python'],
    ['a call by a later opcode', pickled(0x80, 4, ...word('builtins'), ...word('eval'), 0x93, ...word('1'), 0x85, 0x52, 0x2e), 'it asks for builtins.eval of Python'],
    ['names every object has', pickled(0x80, 2, 0x63, 'torch\nconstructor\n', 0x2e), 'it asks for torch.constructor'],
    ['an object built from its state', pickled(0x80, 2, 0x7d, 0x7d, 0x62, 0x2e), 'the instruction 0x62'],
    ['an instance of a class', pickled(0x80, 2, 0x28, 0x69, 'os\nsystem\n', 0x2e), 'the instruction 0x69'],
    ['an object by new', pickled(0x80, 2, 0x63, 'collections\nOrderedDict\n', 0x29, 0x81, 0x2e), 'the instruction 0x81'],
    ['a call of a text', pickled(0x80, 2, ...word('eval'), 0x29, 0x52, 0x2e), 'it calls something that is no tensor'],
    ['a dictionary from pairs', pickled(0x80, 2, 0x63, 'collections\nOrderedDict\n', ...word('x'), 0x85, 0x52, 0x2e), 'it calls something that is no tensor'],
    ['a bare name as a value', dictionary(...word('a'), 0x63, 'torch\nFloatStorage\n'), 'neither text nor tensor'],
    ['a tensor beyond its data', dictionary(...word('embedding_one'), ...tensor({ shape: 5 })), 'larger than its data'],
    ['a stride beyond its data', dictionary(...word('embedding_one'), ...tensor({ shape: 2, stride: 4 })), 'larger than its data'],
    ['a storage of another size', dictionary(...word('embedding_one'), ...tensor({ count: 400, shape: 400 })), 'larger than its data'],
    ['one number as a million', dictionary(...word('embedding_one'), ...tensor({ shape: 60_000, stride: 0 })), 'larger than its data'],
    ['an entry named by a number', dictionary(...int(1), ...int(2)), 'by something else than a text'],
    ['a stack that is empty', pickled(0x80, 2, 0x52, 0x2e), 'do not fit each other'],
    ['a mark without items', pickled(0x80, 2, 0x75, 0x2e), 'do not fit each other'],
    ['a memory never written', pickled(0x80, 2, 0x68, 7, 0x2e), 'do not fit each other'],
    ['an end in the middle', pickled(0x80, 2, 0x58, 0xff, 0xff, 0xff, 0xff, 'x'), 'breaks off'],
    ['no end', pickled(0x80, 2, 0x7d), 'breaks off'],
    ['instructions without number', new Uint8Array(200_000).fill(0x4e), 'more instructions'],
    ['tuples in tuples in tuples', pickled(0x80, 2, 0x29, ...new Array<number>(90_000).fill(0x85), 0x2e), 'neither text nor tensor'],
    ['a whole model', dictionary(...Array.from({ length: 65 }, (_, i) => [...word(`w${i}`), ...tensor()]).flat()), 'as a whole model does'],
    ['a pickle of tomorrow', pickled(0x80, 9, 0x2e), 'of a later kind'],
  ])('%s: nothing is run, and it is said', async (_, pickle, says) => {
    const error = await read(archive(pickle)).catch((cause: unknown) => cause);
    expect(Fault.is(error, 'file-unrecognised'), String(error)).toBe(true);
    expect((error as Fault).message).toContain(says);
    expect((error as Fault).remedy).toContain('no code of theirs is run');
  });

  it.each<[string, Uint8Array<ArrayBuffer>, string]>([
    ['a bare pickle', pickled(0x80, 2, 0x63, 'os\nsystem\n', 0x2e), 'PyTorch’s form of before 2020'],
    ['no words in it', archive(dictionary(...word('other'), ...tensor())), 'holds no learned word'],
    ['another archive', writeZip({ 'a.txt': new Uint8Array(3) }), 'not one of PyTorch’s'],
    ['a safetensors file of something else', writeSafetensors({ weight: zeros(2, 2) }), 'holds no learned word'],
    ['a matrix of a model', writeSafetensors({ clip_l: zeros(80, 4) }), 'no word’s rows'],
    ['a number', writeSafetensors({ clip_l: zeros() }), 'no word’s rows'],
  ])('%s is refused', async (_, bytes, says) => {
    await expect(read(bytes)).rejects.toMatchObject({ code: 'file-unrecognised', message: expect.stringContaining(says) as string });
  });

  it('refuses numbers that are not finite, and a file far too large, unread', async () => {
    await expect(read(archive(dictionary(...word('embedding_one'), ...tensor()), new Uint8Array(Float32Array.from([1, NaN, 3, 4]).buffer)))).rejects.toMatchObject({ code: 'not-finite' });
    const huge = { size: 2 ** 31, arrayBuffer: () => Promise.reject(new Error('read')) } as unknown as Blob;
    await expect(readLearnedRows(huge, 'model.ckpt')).rejects.toMatchObject({ code: 'file-too-large' });
  });
});

describe('archives', () => {
  it('come back as they were written, always as the same bytes, names in any script', () => {
    const contents = { 'run/träume.txt': new TextEncoder().encode('a [V] dog'), 'run/empty': new Uint8Array(0), 'run/go.sh': Uint8Array.from([1, 2, 3]) };
    const bytes = writeZip(contents, ['run/go.sh']);
    expect(Object.fromEntries([...readZip(bytes, 'a.zip')].map(([name, data]) => [name, new Uint8Array(data)]))).toEqual(contents);
    expect(writeZip(contents, ['run/go.sh'])).toEqual(bytes);
    expect(() => writeZip({ '../out': new Uint8Array(0) })).toThrow('no name for a file');
    expect(() => writeZip({ '/out': new Uint8Array(0) })).toThrow('no name for a file');
  });

  const at = (change: (view: DataView, bytes: Uint8Array) => void) => {
    const bytes = writeZip({ 'a.txt': Uint8Array.from([65, 66, 67, 68]) });
    change(new DataView(bytes.buffer), bytes);
    return bytes;
  };
  const central = 30 + 5 + 4;
  it.each<[string, Uint8Array, string]>([
    ['cut short', at(() => {}).subarray(0, 50), 'list of contents is missing'],
    ['empty', new Uint8Array(0), 'list of contents is missing'],
    ['compressed', at((view) => view.setUint16(central + 10, 8, true)), 'compressed'],
    ['encrypted', at((view) => view.setUint16(central + 8, 1, true)), 'encrypted'],
    ['changed', at((_, bytes) => { bytes[36] = 0; }), 'checksum'],
    ['with an entry beyond the end', at((view) => { view.setUint32(central + 20, 4000, true); view.setUint32(central + 24, 4000, true); }), 'beyond the end'],
    ['with an entry elsewhere', at((view) => view.setUint32(central + 42, 10, true)), 'not where its list says'],
    ['with a list elsewhere', at((view) => view.setUint32(central + 46 + 5 + 16, 3, true)), 'damaged'],
    ['with more than is read', at((view) => view.setUint16(central + 46 + 5 + 10, 5000, true)), 'more than this app reads'],
  ])('%s are refused', (_, bytes, says) => {
    expect(() => readZip(bytes, 'a.zip')).toThrow(says);
  });
});
