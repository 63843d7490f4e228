/**
 * Products of float32 matrices in tfjs' own wasm memory, with SIMD, by a module written here. XNNPACK makes an operator and
 * packs an operand for each matrix, which takes as long as the product itself where attention asks for sixteen of 88×64 a
 * call; and it streams a large right operand from memory for every few rows of the left one. Here small ones are read where
 * they are, and large ones go through the cache in blocks (Goto and van de Geijn, Anatomy of High-Performance Matrix
 * Multiplication, 2008). Tiles of 4 rows by 8 columns stay in registers, and each sum runs through k in order as XNNPACK's
 * does: the same bits.
 */
import { add, add4, choose, constant, countUp, get, load4, loadSplat, multiply, multiply4, overMemory, pick4, set, store4, storeFirst, zero4, type Code, type WasmFunction } from './wasmCode';

const ROWS = [4, 1] as const;
const COLUMNS = [8, 4, 1] as const;

/** Whose element follows the one before it in memory: along k, or along m, for a read transposed. */
type Along = 'k' | 'm';

/** Parameters of every product, and locals: whole numbers, then four sums a row and column pair, the right operand's two vectors, one of the left. */
const PRODUCT = ['a', 'aRow', 'b', 'bRow', 'out', 'outRow', 'm', 'k', 'n', 'more', 'i', 'j', 'p', 'q', 'at'] as const;
const PARAMETERS = 10;
const [a, aRow, b, bRow, out, outRow, m, k, n, more, i, j, p, q, at] = PRODUCT.map((_, local) => local) as [number, number, number, number, number, number, number, number, number, number, number, number, number, number, number];
/** Addresses of a's rows, all moved along k together. */
const rowAt = (row: number) => PRODUCT.length + row;
const sum = (row: number, part: number) => PRODUCT.length + ROWS[0] + 2 * row + part;
const right = (part: number) => sum(ROWS[0], part);
const left = sum(ROWS[0], 2);

/** `rows` by `columns` results from row i and column j on. */
function tile(rows: number, columns: number, along: Along, panels: boolean): Code {
  const parts = columns === 8 ? [0, 1] : [0];
  const eachRow = (write: (row: number) => Code) => Array.from({ length: rows }, (_, row) => write(row)).flat();
  const eachPart = (write: (part: number) => Code) => parts.flatMap(write);
  const read = columns === 1 ? loadSplat : load4;
  const write = columns === 1 ? storeFirst : store4;
  const results = (each: (row: number, part: number) => Code) => [
    ...set(at, add(add(get(out), multiply(get(i), get(outRow))), multiply(get(j), constant(4)))),
    ...eachRow((row) => [...eachPart((part) => each(row, part)), ...set(at, add(get(at), get(outRow)))]),
  ];
  /** One k: step `u` of an unrolled loop. */
  const step = (u: number): Code => [
    ...eachPart((part) => set(right(part), read(get(q), 16 * part + (panels ? 4 * columns * u : 0)))),
    ...(panels ? [] : set(q, add(get(q), get(bRow)))),
    ...eachRow((row) => [
      ...set(left, along === 'k' ? loadSplat(get(rowAt(row)), 4 * u) : loadSplat(get(at), 4 * row)),
      ...eachPart((part) => set(sum(row, part), add4(get(sum(row, part)), multiply4(get(left), get(right(part)))))),
    ]),
    ...(along === 'm' ? set(at, add(get(at), get(aRow))) : []),
  ];
  const steps = (count: number): Code => [
    ...Array.from({ length: count }, (_, u) => step(u)).flat(),
    ...(along === 'k' ? eachRow((row) => set(rowAt(row), add(get(rowAt(row)), constant(4 * count)))) : []),
    ...(panels ? set(q, add(get(q), constant(4 * columns * count))) : []),
  ];
  return [
    ...choose(get(more), results((row, part) => set(sum(row, part), read(get(at), 16 * part))), eachRow((row) => eachPart((part) => set(sum(row, part), zero4)))),
    ...(along === 'k'
      ? eachRow((row) => set(rowAt(row), row === 0 ? add(get(a), multiply(get(i), get(aRow))) : add(get(rowAt(row - 1)), get(aRow))))
      : set(at, add(get(a), multiply(get(i), constant(4))))),
    ...set(q, add(get(b), multiply(panels ? multiply(get(j), get(k)) : get(j), constant(4)))),
    ...set(p, constant(0)),
    ...countUp(p, k, 4, steps(4)),
    ...countUp(p, k, 1, steps(1)),
    ...results((row, part) => write(get(at), 16 * part, get(sum(row, part)))),
  ];
}

/** out [m,n] (+)= a·b, rows at distances in bytes; a runs along k, or is read transposed; b is rows, or panels of columns. */
function productFunction(name: string, along: Along, panels: boolean): WasmFunction {
  return {
    name, parameters: PARAMETERS, integers: PRODUCT.length - PARAMETERS + ROWS[0], vectors: 2 * ROWS[0] + 3,
    body: [
      ...set(i, constant(0)),
      ...ROWS.flatMap((rows) => countUp(i, m, rows, [
        ...set(j, constant(0)),
        ...COLUMNS.flatMap((columns) => countUp(j, n, columns, tile(rows, columns, along, panels))),
      ])),
    ],
  };
}

/** panels(from, fromRow, to, k, n): a matrix [k,n] as panels of 8, 4 and single columns, each [k,width] without gaps. */
function panelsFunction(): WasmFunction {
  const [from, fromRow, to, rows, columns, column, row, source, target] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
  const copy = (width: number): Code => (width === 1
    ? storeFirst(get(target), 0, loadSplat(get(source), 0))
    : Array.from({ length: width / 4 }, (_, part) => store4(get(target), 16 * part, load4(get(source), 16 * part))).flat());
  return {
    name: 'panels', parameters: 5, integers: 4, vectors: 0,
    body: [
      ...set(target, get(to)),
      ...set(column, constant(0)),
      ...COLUMNS.flatMap((width) => countUp(column, columns, width, [
        ...set(source, add(get(from), multiply(get(column), constant(4)))),
        ...set(row, constant(0)),
        ...countUp(row, rows, 1, [...copy(width), ...set(source, add(get(source), get(fromRow))), ...set(target, add(get(target), constant(4 * width)))]),
      ])),
    ],
  };
}

/** transpose(from, fromRow, to, toRow, rows, columns): to [columns,rows] = from [rows,columns]ᵀ. */
function transposeFunction(): WasmFunction {
  const [from, fromRow, to, toRow, rows, columns, row0, column0, source, target] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
  const x = (row: number) => 10 + row;
  const y = (row: number) => 14 + row;
  const each = (write: (index: number) => Code) => [0, 1, 2, 3].flatMap(write);
  const block = (height: number, width: number): Code => [
    ...set(source, add(add(get(from), multiply(get(row0), get(fromRow))), multiply(get(column0), constant(4)))),
    ...set(target, add(add(get(to), multiply(get(column0), get(toRow))), multiply(get(row0), constant(4)))),
    ...(width === 4
      ? [
        ...each((row) => [...set(x(row), load4(get(source), 0)), ...set(source, add(get(source), get(fromRow)))]),
        ...each((row) => set(y(row), pick4(get(x(row & 2)), get(x((row & 2) + 1)), row & 1 ? [2, 6, 3, 7] : [0, 4, 1, 5]))),
        ...each((row) => [...store4(get(target), 0, pick4(get(y(row >> 1)), get(y((row >> 1) + 2)), row & 1 ? [2, 3, 6, 7] : [0, 1, 4, 5])), ...set(target, add(get(target), get(toRow)))]),
      ]
      : Array.from({ length: height }, (_, row) => [...storeFirst(get(target), 4 * row, loadSplat(get(source), 0)), ...set(source, add(get(source), get(fromRow)))]).flat()),
  ];
  const across = (height: number, widths: readonly number[]) => [...set(column0, constant(0)), ...widths.flatMap((width) => countUp(column0, columns, width, block(height, width)))];
  return {
    name: 'transpose', parameters: 6, integers: 4, vectors: 8,
    body: [
      ...set(row0, constant(0)),
      ...countUp(row0, rows, 4, across(4, [4, 1])),
      ...countUp(row0, rows, 1, across(1, [1])),
    ],
  };
}

/** Addresses, and distances of rows, in bytes. Sums go on from what is in out where `more` is 1. */
type Product = (a: number, aRow: number, b: number, bRow: number, out: number, outRow: number, m: number, k: number, n: number, more: 0 | 1) => void;
interface Exports {
  rows: Product;
  transposed: Product;
  /** b is what `panels` made. */
  blocks: Product;
  panels(from: number, fromRow: number, to: number, k: number, n: number): void;
  transpose(from: number, fromRow: number, to: number, toRow: number, rows: number, columns: number): void;
}

const simdModule = overMemory<Exports>(() => [productFunction('rows', 'k', false), productFunction('transposed', 'm', false), productFunction('blocks', 'k', true), panelsFunction(), transposeFunction()]);

/** Elements of k and n that a block of the right operand has: 256 KiB, half a cache of the second level. */
const [DEEP, WIDE] = [256, 256];
/** Rows of the left operand that are transposed together. */
const TALL = 128;
/** Right operands up to here are read where they are. */
const DIRECT = 2 ** 15;

export interface Sizes { m: number; k: number; n: number }
export interface Operands { a: number; b: number; out: number; transposeA: boolean; transposeB: boolean }

/** Products of float32 matrices at byte addresses of one memory. */
export class SimdProducts {
  private constructor(private readonly module: Exports, private readonly scratchA: number, private readonly scratchB: number) {}

  /** Null where there is no SIMD. `allocate` gives an address for so many bytes. */
  static in(memory: WebAssembly.Memory, allocate: (bytes: number) => number): SimdProducts | null {
    const module = simdModule(memory);
    return module && new SimdProducts(module, allocate(4 * TALL * DEEP), allocate(4 * DEEP * WIDE));
  }

  /** out [m,n] = op(a)·op(b), contiguous; `more`: added to what is there, from its value on. */
  run(sizes: Sizes, operands: Operands, more = false): void {
    if (sizes.k * sizes.n <= DIRECT) this.direct(sizes, operands, more);
    else this.blocked(sizes, operands, more);
  }

  private direct({ m, k, n }: Sizes, { a, b, out, transposeA, transposeB }: Operands, more: boolean): void {
    const { module, scratchB } = this;
    if (transposeB) module.transpose(b, 4 * k, scratchB, 4 * n, n, k);
    const product = transposeA ? module.transposed : module.rows;
    product(a, 4 * (transposeA ? m : k), transposeB ? scratchB : b, 4 * n, out, 4 * n, m, k, n, more ? 1 : 0);
  }

  /** Block by block of the right operand, in panels that stay in the cache; along k first for each, so that sums keep their order. */
  private blocked({ m, k, n }: Sizes, { a, b, out, transposeA, transposeB }: Operands, more: boolean): void {
    const { module, scratchA, scratchB } = this;
    for (let k0 = 0; k0 < k; k0 += DEEP) {
      const deep = Math.min(DEEP, k - k0);
      for (let n0 = 0; n0 < n; n0 += WIDE) {
        const wide = Math.min(WIDE, n - n0);
        if (transposeB) this.panelsTransposed(b + 4 * (n0 * k + k0), 4 * k, deep, wide);
        else module.panels(b + 4 * (k0 * n + n0), 4 * n, scratchB, deep, wide);
        for (let m0 = 0; m0 < m; m0 += transposeA ? TALL : m) {
          const tall = transposeA ? Math.min(TALL, m - m0) : m;
          if (transposeA) module.transpose(a + 4 * (k0 * m + m0), 4 * m, scratchA, 4 * deep, deep, tall);
          module.blocks(transposeA ? scratchA : a + 4 * k0, 4 * (transposeA ? deep : k), scratchB, 0, out + 4 * (m0 * n + n0), 4 * n, tall, deep, wide, more || k0 > 0 ? 1 : 0);
        }
      }
    }
  }

  private panelsTransposed(from: number, fromRow: number, deep: number, wide: number): void {
    for (let column = 0; column < wide;) {
      const width = COLUMNS.find((one) => one <= wide - column)!;
      this.module.transpose(from + fromRow * column, fromRow, this.scratchB + 4 * column * deep, 4 * width, width, deep);
      column += width;
    }
  }
}
