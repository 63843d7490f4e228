/**
 * Products of small float32 matrices in tfjs' own wasm memory, with SIMD. XNNPACK makes an operator and packs an operand for
 * each matrix, which takes as long as the product itself where attention asks for sixteen of 88×64 a call; here nothing is
 * made. Tiles of 4 rows by 8 columns stay in registers, and each sum runs through k in order as XNNPACK's does: same bits.
 */
import { add, add4, constant, countUp, get, load4, loadSplat, multiply, multiply4, pick4, set, store4, storeFirst, wasmModule, zero4, type Code, type WasmFunction } from './wasmCode';

const ROWS = [4, 1] as const;
const COLUMNS = [8, 4, 1] as const;

/** Whose element follows the one before it in memory: along k, or along m, for a read transposed. */
type Along = 'k' | 'm';

/** product(a, b, out, m, k, n) and productTransposed, byte addresses: out [m,n] = a·b, a [m,k] (along k) or [k,m] (along m), b [k,n]. */
function productFunction(along: Along): WasmFunction {
  const [a, b, out, m, k, n, i, j, p, q, at, bRow, aRow] = Array.from({ length: 13 }, (_, local) => local) as [number, number, number, number, number, number, number, number, number, number, number, number, number];
  const rowAt = (row: number) => 13 + row; // addresses of a's rows, all moved along k together
  const sum = (row: number, part: number) => 17 + 2 * row + part;
  const right = (part: number) => 25 + part;
  const left = 27;

  const tile = (rows: number, columns: number): Code => {
    const parts = columns === 8 ? [0, 1] : [0];
    const eachRow = (write: (row: number) => Code) => Array.from({ length: rows }, (_, row) => write(row)).flat();
    const eachPart = (write: (part: number) => Code) => parts.flatMap(write);
    const read = columns === 1 ? loadSplat : load4;
    const write = columns === 1 ? storeFirst : store4;
    /** One k: step `u` of an unrolled loop, whose addresses move at its end. */
    const step = (u: number): Code => [
      ...eachPart((part) => set(right(part), read(get(q), 16 * part))),
      ...set(q, add(get(q), get(bRow))),
      ...eachRow((row) => [
        ...set(left, along === 'k' ? loadSplat(get(rowAt(row)), 4 * u) : loadSplat(get(at), 4 * row)),
        ...eachPart((part) => set(sum(row, part), add4(get(sum(row, part)), multiply4(get(left), get(right(part)))))),
      ]),
      ...(along === 'm' ? set(at, add(get(at), get(aRow))) : []),
    ];
    const steps = (count: number): Code => [
      ...Array.from({ length: count }, (_, u) => step(u)).flat(),
      ...(along === 'k' ? eachRow((row) => set(rowAt(row), add(get(rowAt(row)), constant(4 * count)))) : []),
    ];
    return [
      ...(along === 'k'
        ? eachRow((row) => set(rowAt(row), row === 0 ? add(get(a), multiply(get(i), get(aRow))) : add(get(rowAt(row - 1)), get(aRow))))
        : set(at, add(get(a), multiply(get(i), constant(4))))),
      ...set(q, add(get(b), multiply(get(j), constant(4)))),
      ...eachRow((row) => eachPart((part) => set(sum(row, part), zero4))),
      ...set(p, constant(0)),
      ...countUp(p, k, 4, steps(4)),
      ...countUp(p, k, 1, steps(1)),
      ...set(at, add(add(get(out), multiply(get(i), get(bRow))), multiply(get(j), constant(4)))),
      ...eachRow((row) => [...eachPart((part) => write(get(at), 16 * part, get(sum(row, part)))), ...set(at, add(get(at), get(bRow)))]),
    ];
  };

  return {
    name: along === 'k' ? 'product' : 'productTransposed', parameters: 6, integers: 11, vectors: 11,
    body: [
      ...set(bRow, multiply(get(n), constant(4))), // out's rows are as long
      ...set(aRow, multiply(get(along === 'k' ? k : m), constant(4))),
      ...set(j, constant(0)),
      ...COLUMNS.flatMap((columns) => countUp(j, n, columns, [
        ...set(i, constant(0)),
        ...ROWS.flatMap((rows) => countUp(i, m, rows, tile(rows, columns))),
      ])),
    ],
  };
}

/** transpose(from, to, rows, columns): to [columns,rows] = from [rows,columns]ᵀ. */
function transposeFunction(): WasmFunction {
  const [from, to, rows, columns, i, j, at, target, fromRow, toRow] = Array.from({ length: 10 }, (_, local) => local) as [number, number, number, number, number, number, number, number, number, number];
  const x = (row: number) => 10 + row;
  const y = (row: number) => 14 + row;
  const each = (write: (index: number) => Code) => [0, 1, 2, 3].flatMap(write);
  const block = (height: number, width: number): Code => [
    ...set(at, add(add(get(from), multiply(get(i), get(fromRow))), multiply(get(j), constant(4)))),
    ...set(target, add(add(get(to), multiply(get(j), get(toRow))), multiply(get(i), constant(4)))),
    ...(width === 4
      ? [
        ...each((row) => [...set(x(row), load4(get(at), 0)), ...set(at, add(get(at), get(fromRow)))]),
        ...each((row) => set(y(row), pick4(get(x(row & 2)), get(x((row & 2) + 1)), row & 1 ? [2, 6, 3, 7] : [0, 4, 1, 5]))),
        ...each((row) => [...store4(get(target), 0, pick4(get(y(row >> 1)), get(y((row >> 1) + 2)), row & 1 ? [2, 3, 6, 7] : [0, 1, 4, 5])), ...set(target, add(get(target), get(toRow)))]),
      ]
      : Array.from({ length: height }, (_, row) => [...storeFirst(get(target), 4 * row, loadSplat(get(at), 0)), ...set(at, add(get(at), get(fromRow)))]).flat()),
  ];
  const across = (height: number, widths: readonly number[]) => [...set(j, constant(0)), ...widths.flatMap((width) => countUp(j, columns, width, block(height, width)))];
  return {
    name: 'transpose', parameters: 4, integers: 6, vectors: 8,
    body: [
      ...set(fromRow, multiply(get(columns), constant(4))),
      ...set(toRow, multiply(get(rows), constant(4))),
      ...set(i, constant(0)),
      ...countUp(i, rows, 4, across(4, [4, 1])),
      ...countUp(i, rows, 1, across(1, [1])),
    ],
  };
}

/** out [m,n] = a·b for b [k,n] and a [m,k], or a [k,m] where it is read transposed; to [columns,rows] = from [rows,columns]ᵀ. All addresses in bytes. */
export interface SmallProducts {
  product(a: number, b: number, out: number, m: number, k: number, n: number): void;
  productTransposed(a: number, b: number, out: number, m: number, k: number, n: number): void;
  transpose(from: number, to: number, rows: number, columns: number): void;
}

const compiled = new Map<boolean, WebAssembly.Module>();

/** The functions over a memory; null where there is no SIMD. */
export function smallProducts(memory: WebAssembly.Memory): SmallProducts | null {
  const shared = typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
  let module = compiled.get(shared);
  if (!module) {
    const bytes = wasmModule([productFunction('k'), productFunction('m'), transposeFunction()], shared);
    if (!WebAssembly.validate(bytes)) return null;
    compiled.set(shared, (module = new WebAssembly.Module(bytes)));
  }
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as SmallProducts;
}
