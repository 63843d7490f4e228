/**
 * Reads the pickles that torch.save writes, and only what is data in them: texts, numbers, dictionaries and tensors. A pickle
 * is a program for a small stack machine that can name and call any function of Python. Here nothing is ever called: eight names
 * are known, each stands for a tensor or a dictionary, and every other name or instruction is a Fault that says which it was.
 * Source: CPython pickletools (opcodes), torch/_utils.py (how a tensor is put together).
 */
import { Fault } from '../protocol/faults';
import type { PlainTensor } from './safetensorsWriter';
import { toFloat32, valueBytes } from './tensorBytes';

export type Unpickled = string | number | boolean | null | PlainTensor | Map<string, Unpickled>;

/** What the machine handles beside finished values. */
type Value = Unpickled | readonly Value[] | { global: string } | { storage: string; dtype: string; count: number };

const STORAGES: Readonly<Record<string, string>> = { 'torch FloatStorage': 'F32', 'torch HalfStorage': 'F16', 'torch BFloat16Storage': 'BF16', 'torch DoubleStorage': 'F64', 'torch LongStorage': 'I64' };
const TENSOR = 'torch._utils _rebuild_tensor_v2', PARAMETER = 'torch._utils _rebuild_parameter', DICTIONARY = 'collections OrderedDict';
const known = (name: string) => name === TENSOR || name === PARAMETER || name === DICTIONARY || Object.hasOwn(STORAGES, name);
/** Instructions and values a file of a few words and rows has hundreds of; a bomb, millions. */
const MOST_STEPS = 100_000;
const MOST_TENSORS = 64;

const isTensor = (value: unknown): value is PlainTensor => typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * The value of a pickle. `storage` gives a tensor's bytes by the name that the pickle has for them; null where there are none.
 * Faults: `file-unrecognised`, naming what the pickle asks for.
 */
export function unpickle(bytes: Uint8Array, file: string, storage: (name: string) => Uint8Array | null): Unpickled {
  const refuse = (found: string) => new Fault('file-unrecognised', `“${file}” is not read: ${found}.`, 'Only texts and tensors are read from such files, and no code of theirs is run. Use a safetensors file of the same, if there is one.', { subject: file });
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (count: number): number => {
    if (count > bytes.length - at) throw refuse('it breaks off in the middle');
    at += count;
    return at - count;
  };
  const text = (length: number) => { const from = take(length); return new TextDecoder().decode(bytes.subarray(from, from + length)); };
  const line = () => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw refuse('it breaks off in the middle');
    const read = text(end - at);
    at = end + 1;
    return read;
  };

  let stack: Value[] = [];
  const marks: Value[][] = [];
  const memo = new Map<number, Value>();
  let tensors = 0;
  const pop = (): Value => {
    if (stack.length === 0) throw refuse('its instructions do not fit each other');
    return stack.pop()!;
  };
  const popMark = (): Value[] => {
    const above = stack;
    const below = marks.pop();
    if (!below) throw refuse('its instructions do not fit each other');
    stack = below;
    return above;
  };
  const recall = (index: number): Value => {
    if (!memo.has(index)) throw refuse('its instructions do not fit each other');
    return memo.get(index)!;
  };
  const named = (module: string, name: string) => {
    if (!known(`${module} ${name}`)) throw refuse(`it asks for ${module.slice(0, 80)}.${name.slice(0, 80)} of Python`);
    return { global: `${module} ${name}` };
  };
  const global = (value: Value): string | null => (typeof value === 'object' && value !== null && 'global' in value ? value.global : null);
  /** A number, text, tensor or dictionary; names, storages and tuples only serve to put those together. */
  const finished = (value: Value): Unpickled => {
    if (typeof value !== 'object' || value === null || value instanceof Map || isTensor(value)) return value as Unpickled;
    throw refuse('it holds something that is neither text nor tensor');
  };
  const setItems = (values: readonly Value[]) => {
    const target = stack.at(-1);
    if (!(target instanceof Map) || values.length % 2) throw refuse('its instructions do not fit each other');
    for (let i = 0; i < values.length; i += 2) {
      const key = values[i]!;
      if (typeof key !== 'string') throw refuse('it names an entry by something else than a text');
      target.set(key, finished(values[i + 1]!));
    }
  };
  const persistent = (id: Value): Value => {
    const [kind, type, name, , count] = Array.isArray(id) ? (id as readonly Value[]) : [];
    const dtype = type === undefined ? undefined : STORAGES[global(type) ?? ''];
    if (kind !== 'storage' || dtype === undefined || typeof name !== 'string' || !isCount(count)) throw refuse('it refers to data of a form that is not known');
    return { storage: name, dtype, count };
  };
  /** The storage's numbers in the order of the shape. */
  const tensor = ([from, offset, size, stride]: readonly Value[]): PlainTensor => {
    const [shape, strides] = [size, stride] as unknown as number[][] as [number[], number[]];
    const isTuple = (list: Value | undefined) => Array.isArray(list) && list.length <= 4 && list.every(isCount);
    if (typeof from !== 'object' || from === null || !('storage' in from) || !isCount(offset) || !isTuple(size) || !isTuple(stride) || shape.length !== strides.length) throw refuse('it puts a tensor together in a way that is not known');
    const stored = storage(from.storage);
    const length = shape.reduce((product, each) => product * each, 1);
    const last = shape.reduce((sum, each, axis) => sum + Math.max(0, each - 1) * strides[axis]!, offset);
    const width = valueBytes[from.dtype]!;
    if (!stored || stored.byteLength !== from.count * width || last >= Math.max(1, from.count) || length > from.count) throw refuse('a tensor in it is larger than its data');
    if (++tensors > MOST_TENSORS) throw refuse(`it holds more than ${MOST_TENSORS} tensors, as a whole model does`);
    // of a row that is a view of a whole table, the row alone
    const all = toFloat32(stored.subarray(offset * width, (last + 1) * width), from.dtype);
    const out = new Float32Array(length);
    for (let i = 0; i < length; i++) {
      let [rest, index] = [i, 0];
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        index += (rest % shape[axis]!) * strides[axis]!;
        rest = Math.floor(rest / shape[axis]!);
      }
      out[i] = all[index]!;
    }
    return { shape: [...shape], data: out };
  };
  const reduce = (callee: Value, given: Value): Value => {
    const values = Array.isArray(given) ? (given as readonly Value[]) : [];
    const name = global(callee);
    if (name === TENSOR) return tensor(values);
    if (name === PARAMETER && isTensor(values[0])) return values[0];
    if (name === DICTIONARY && Array.isArray(given) && given.length === 0) return new Map();
    throw refuse('it calls something that is no tensor');
  };

  for (let step = 0; step < MOST_STEPS; step++) {
    const opcode = bytes[take(1)]!;
    switch (opcode) {
      case 0x80: if (bytes[take(1)]! > 4) throw refuse('it is a pickle of a later kind'); break; // PROTO
      case 0x95: take(8); break; // FRAME
      case 0x28: marks.push(stack); stack = []; break; // MARK
      case 0x2e: return finished(pop()); // STOP
      case 0x30: pop(); break; // POP
      case 0x31: popMark(); break; // POP_MARK
      case 0x4e: stack.push(null); break; // NONE
      case 0x88: stack.push(true); break; // NEWTRUE
      case 0x89: stack.push(false); break; // NEWFALSE
      case 0x4b: stack.push(bytes[take(1)]!); break; // BININT1
      case 0x4d: stack.push(data.getUint16(take(2), true)); break; // BININT2
      case 0x4a: stack.push(data.getInt32(take(4), true)); break; // BININT
      case 0x47: stack.push(data.getFloat64(take(8))); break; // BINFLOAT
      case 0x58: stack.push(text(data.getUint32(take(4), true))); break; // BINUNICODE
      case 0x8c: stack.push(text(bytes[take(1)]!)); break; // SHORT_BINUNICODE
      case 0x7d: stack.push(new Map()); break; // EMPTY_DICT
      case 0x29: stack.push([]); break; // EMPTY_TUPLE
      case 0x85: case 0x86: case 0x87: { const values = Array.from({ length: opcode - 0x84 }, pop).reverse(); stack.push(values); break; } // TUPLE1, TUPLE2, TUPLE3
      case 0x74: { const values = popMark(); stack.push(values); break; } // TUPLE
      case 0x73: { const value = pop(); setItems([pop(), value]); break; } // SETITEM
      case 0x75: setItems(popMark()); break; // SETITEMS
      case 0x71: memo.set(bytes[take(1)]!, stack.at(-1) ?? null); break; // BINPUT
      case 0x72: memo.set(data.getUint32(take(4), true), stack.at(-1) ?? null); break; // LONG_BINPUT
      case 0x94: memo.set(memo.size, stack.at(-1) ?? null); break; // MEMOIZE
      case 0x68: stack.push(recall(bytes[take(1)]!)); break; // BINGET
      case 0x6a: stack.push(recall(data.getUint32(take(4), true))); break; // LONG_BINGET
      case 0x63: stack.push(named(line(), line())); break; // GLOBAL
      case 0x93: { const [name, module] = [pop(), pop()]; stack.push(named(typeof module === 'string' ? module : '?', typeof name === 'string' ? name : '?')); break; } // STACK_GLOBAL
      case 0x51: stack.push(persistent(pop())); break; // BINPERSID
      case 0x52: { const given = pop(); stack.push(reduce(pop(), given)); break; } // REDUCE
      default: throw refuse(`it holds the instruction 0x${opcode.toString(16).padStart(2, '0')}, which is for more than texts and tensors`);
    }
  }
  throw refuse('it has more instructions than a few texts and tensors need');
}
