/**
 * What stands between the products of a transformer block, with SIMD, by a module written here over tfjs' own wasm memory:
 * normalisations of rows, gated residuals, GELUs, and the sums over rows that are the gradient of a broadcast. tfjs composes
 * each from up to fourteen kernels, and every one reads and writes all of its tensor. Sizes and distances are bytes.
 */
import { add, add4, atLeast4, atMost4, constant, countUp, divide4, get, load4, loadSplat, multiply4, number4, overMemory, pick4, powerOf4, root4, set, splatBits4, store4, storeFirst, subtract4, WHOLE, zero4, type Code, type WasmFunction } from './wasmCode';

/** Floats that are worked on together. */
const WIDTHS = [4, 1] as const;
type Width = (typeof WIDTHS)[number];

/** What stands in a row, at a column: locals with their addresses in bytes. */
const here = (row: number, column: number, width: Width): Code => (width === 4 ? load4 : loadSplat)(add(get(row), get(column)), 0);
const put = (row: number, column: number, width: Width, value: Code): Code => (width === 4 ? store4 : storeFirst)(add(get(row), get(column)), 0, value);

/** Numbers of a function's locals by their names, in the order in which a module has them. */
function locals<P extends string, I extends string, V extends string>(parameters: readonly P[], integers: readonly I[], vectors: readonly V[]) {
  const at = Object.fromEntries([...parameters, ...integers, ...vectors].map((name, local) => [name, local])) as Record<P | I | V, number>;
  return { at, counts: { parameters: parameters.length, integers: integers.length, vectors: vectors.length } };
}

const advance = (local: number, by: number): Code => set(local, add(get(local), get(by)));
/** The body for every column of a row: four at a time, then one by one. */
const columns = (column: number, bytes: number, body: (width: Width) => Code): Code => [
  ...set(column, constant(0)), ...WIDTHS.flatMap((width) => countUp(column, bytes, 4 * width, body(width))),
];
/** For every row of every group, with what moves on behind each. */
const rowsOfGroups = ({ group, groups, row, rows }: Record<'group' | 'groups' | 'row' | 'rows', number>, body: Code, afterGroup: Code): Code => [
  ...set(group, constant(0)),
  ...countUp(group, groups, 1, [...set(row, constant(0)), ...countUp(row, rows, 1, body), ...afterGroup]),
];

/** The total over a row, in all four places of `result`: of four at a time in `fours`, of single ones in `result` itself. */
function total(column: number, bytes: number, { result, fours }: { result: number; fours: number }, term: (width: Width) => Code): Code {
  const folded = (lanes: readonly number[]) => set(fours, add4(get(fours), pick4(get(fours), get(fours), lanes)));
  return [
    ...set(result, zero4), ...set(fours, zero4),
    ...columns(column, bytes, (width) => { const sum = width === 4 ? fours : result; return set(sum, add4(get(sum), term(width))); }),
    ...folded([2, 3, 0, 1]), ...folded([1, 0, 3, 2]), ...set(result, add4(get(result), get(fours))),
  ];
}

export type NormName = 'NormModulate' | 'RmsNorm' | 'LayerNorm';
interface NormForm { centred: boolean; gainOffset: 0 | 1; shifted: boolean }
/** x̂·(gain + gainOffset) + shift; x̂ without its mean where it is centred. */
const norms: Record<NormName, NormForm> = {
  NormModulate: { centred: true, gainOffset: 1, shifted: true },
  RmsNorm: { centred: false, gainOffset: 0, shifted: false },
  LayerNorm: { centred: true, gainOffset: 0, shifted: true },
};

/** `share`: bits of 1/columns; statistics: mean and reciprocal deviation of each row. One row of gain, and of shift, for each group. */
function normFunction(name: string, { centred, gainOffset, shifted }: NormForm): WasmFunction {
  const { at, counts } = locals(['x', 'gain', 'shift', 'out', 'statistics', 'groups', 'rows', 'bytes', 'epsilon', 'share'], ['group', 'row', 'column'], ['mean', 'r', 'fours', 'value']);
  const value = (width: Width): Code => (centred ? subtract4(here(at.x, at.column, width), get(at.mean)) : here(at.x, at.column, width));
  const gain = (width: Width): Code => { const own = here(at.gain, at.column, width); return gainOffset ? add4(own, number4(gainOffset)) : own; };
  const each = (width: Width): Code => {
    const scaled = multiply4(multiply4(value(width), get(at.r)), gain(width));
    return put(at.out, at.column, width, shifted ? add4(scaled, here(at.shift, at.column, width)) : scaled);
  };
  const row: Code = [
    ...(centred ? [...total(at.column, at.bytes, { result: at.mean, fours: at.fours }, (width) => here(at.x, at.column, width)), ...set(at.mean, multiply4(get(at.mean), splatBits4(get(at.share))))] : []),
    ...total(at.column, at.bytes, { result: at.r, fours: at.fours }, (width) => [...set(at.value, value(width)), ...multiply4(get(at.value), get(at.value))]),
    ...set(at.r, divide4(number4(1), root4(add4(multiply4(get(at.r), splatBits4(get(at.share))), splatBits4(get(at.epsilon)))))),
    ...columns(at.column, at.bytes, each),
    ...storeFirst(get(at.statistics), 0, get(at.mean)), ...storeFirst(get(at.statistics), 4, get(at.r)), ...set(at.statistics, add(get(at.statistics), constant(8))),
    ...advance(at.x, at.bytes), ...advance(at.out, at.bytes),
  ];
  return { name, ...counts, body: rowsOfGroups(at, row, [...advance(at.gain, at.bytes), ...(shifted ? advance(at.shift, at.bytes) : [])]) };
}

/** dx = r·(g − mean(g)·[centred] − x̂·mean(g·x̂)), g = dy·(gain + gainOffset). */
function normGradientFunction(name: string, { centred, gainOffset }: NormForm): WasmFunction {
  const { at, counts } = locals(['x', 'dy', 'gain', 'statistics', 'dx', 'groups', 'rows', 'bytes', 'share'], ['group', 'row', 'column'], ['mean', 'r', 'ofG', 'ofProduct', 'fours', 'g']);
  const xHat = (width: Width): Code => {
    const x = here(at.x, at.column, width);
    return multiply4(centred ? subtract4(x, get(at.mean)) : x, get(at.r));
  };
  const g = (width: Width): Code => {
    const own = here(at.gain, at.column, width);
    return multiply4(here(at.dy, at.column, width), gainOffset ? add4(own, number4(gainOffset)) : own);
  };
  const share = (sum: number): Code => set(sum, multiply4(get(sum), splatBits4(get(at.share))));
  const row: Code = [
    ...set(at.mean, loadSplat(get(at.statistics), 0)), ...set(at.r, loadSplat(get(at.statistics), 4)), ...set(at.statistics, add(get(at.statistics), constant(8))),
    ...(centred ? [...total(at.column, at.bytes, { result: at.ofG, fours: at.fours }, g), ...share(at.ofG)] : []),
    ...total(at.column, at.bytes, { result: at.ofProduct, fours: at.fours }, (width) => multiply4(g(width), xHat(width))), ...share(at.ofProduct),
    ...columns(at.column, at.bytes, (width) => [
      ...set(at.g, g(width)),
      ...(centred ? set(at.g, subtract4(get(at.g), get(at.ofG))) : []),
      ...put(at.dx, at.column, width, multiply4(subtract4(get(at.g), multiply4(xHat(width), get(at.ofProduct))), get(at.r))),
    ]),
    ...advance(at.x, at.bytes), ...advance(at.dy, at.bytes), ...advance(at.dx, at.bytes),
  ];
  return { name, ...counts, body: rowsOfGroups(at, row, advance(at.gain, at.bytes)) };
}

/** out = x + gate·y, or gate·y, which is the gradient of y; one row of gate for each group. */
function gateFunction(name: string, residual: boolean): WasmFunction {
  const { at, counts } = locals(['x', 'gate', 'y', 'out', 'groups', 'rows', 'bytes'], ['group', 'row', 'column'], []);
  const row: Code = [
    ...columns(at.column, at.bytes, (width) => {
      const gated = multiply4(here(at.gate, at.column, width), here(at.y, at.column, width));
      return put(at.out, at.column, width, residual ? add4(here(at.x, at.column, width), gated) : gated);
    }),
    ...advance(at.x, at.bytes), ...advance(at.y, at.bytes), ...advance(at.out, at.bytes),
  ];
  return { name, ...counts, body: rowsOfGroups(at, row, advance(at.gate, at.bytes)) };
}

/** 1/ln 2; ln 2 in two parts, of which the first times a whole number is exact; e^r for |r| ≤ ln 2 / 2 from the third term on, highest power first (Cephes' expf). */
const [LOG2_E, LN2_HIGH, LN2_LOW] = [1.44269504088896341, 0.693359375, -2.12194440e-4];
const EXP = [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];
/** Between them e^t and its power of two are float32's. */
const [EXP_LEAST, EXP_MOST] = [-87, 88];

/** s = σ(s), in place; then p·s is 1 − s, without the loss of a difference. t and n are spare. */
function sigmoid(s: number, t: number, n: number, p: number): Code {
  return [
    ...set(t, atMost4(atLeast4(subtract4(zero4, get(s)), number4(EXP_LEAST)), number4(EXP_MOST))),
    ...set(n, add4(multiply4(get(t), number4(LOG2_E)), number4(WHOLE))),
    ...set(s, subtract4(get(n), number4(WHOLE))),
    ...set(t, subtract4(subtract4(get(t), multiply4(get(s), number4(LN2_HIGH))), multiply4(get(s), number4(LN2_LOW)))),
    ...set(p, number4(EXP[0]!)),
    ...EXP.slice(1).flatMap((term) => set(p, add4(multiply4(get(p), get(t)), number4(term)))),
    ...set(p, add4(add4(multiply4(multiply4(get(p), get(t)), get(t)), get(t)), number4(1))),
    ...set(p, multiply4(get(p), powerOf4(get(n)))), // e^(−s)
    ...set(s, divide4(number4(1), add4(number4(1), get(p)))),
  ];
}

export type GeluName = 'GeluTanh' | 'QuickGelu';
/** x·σ(h), h = x·(slope + cubic·x²): 2·√(2/π) and 0.044715 times that for the tanh form. */
const gelus: Record<GeluName, { slope: number; cubic: number }> = { GeluTanh: { slope: 1.5957691216057308, cubic: 0.07135481627159626 }, QuickGelu: { slope: 1.702, cubic: 0 } };

/** Flat: `bytes` in all. The gradient is dy·(s + x·s·(1 − s)·h′). */
function geluFunction(name: string, { slope, cubic }: { slope: number; cubic: number }, gradient: boolean): WasmFunction {
  const { at, counts } = locals(['x', 'dy', 'out', 'bytes'], ['column'], ['value', 's', 't', 'n', 'p']);
  const curve = (third: number): Code => (cubic ? add4(number4(slope), multiply4(multiply4(get(at.value), get(at.value)), number4(third))) : number4(slope));
  return {
    name, ...counts,
    body: columns(at.column, at.bytes, (width) => [
      ...set(at.value, here(at.x, at.column, width)),
      ...set(at.s, multiply4(get(at.value), curve(cubic))),
      ...sigmoid(at.s, at.t, at.n, at.p),
      ...put(at.out, at.column, width, gradient
        ? multiply4(here(at.dy, at.column, width), add4(get(at.s), multiply4(multiply4(get(at.value), multiply4(get(at.s), multiply4(get(at.p), get(at.s)))), curve(3 * cubic))))
        : multiply4(get(at.value), get(at.s))),
    ]),
  };
}

type Factor = 'none' | 'plain' | 'normed';

/** out [groups,columns], zeros at first, += Σ over a group's rows of dy, of dy·factor, or of dy times the factor normalised by its statistics. */
function sumFunction(name: string, factor: Factor): WasmFunction {
  const { at, counts } = locals(['dy', 'factor', 'statistics', 'out', 'groups', 'rows', 'bytes'], ['group', 'row', 'column'], ['mean', 'r']);
  const term = (width: Width): Code => {
    if (factor === 'none') return here(at.dy, at.column, width);
    const own = here(at.factor, at.column, width);
    return multiply4(here(at.dy, at.column, width), factor === 'plain' ? own : multiply4(subtract4(own, get(at.mean)), get(at.r)));
  };
  const row: Code = [
    ...(factor === 'normed' ? [...set(at.mean, loadSplat(get(at.statistics), 0)), ...set(at.r, loadSplat(get(at.statistics), 4)), ...set(at.statistics, add(get(at.statistics), constant(8)))] : []),
    ...columns(at.column, at.bytes, (width) => put(at.out, at.column, width, add4(here(at.out, at.column, width), term(width)))),
    ...advance(at.dy, at.bytes), ...(factor === 'none' ? [] : advance(at.factor, at.bytes)),
  ];
  return { name, ...counts, body: rowsOfGroups(at, row, advance(at.out, at.bytes)) };
}

const functions = (): WasmFunction[] => [
  ...Object.entries(norms).flatMap(([name, form]) => [normFunction(name, form), normGradientFunction(`${name}Gradient`, form)]),
  gateFunction('GatedResidual', true), gateFunction('GatedResidualGradient', false),
  ...Object.entries(gelus).flatMap(([name, form]) => [geluFunction(name, form, false), geluFunction(`${name}Gradient`, form, true)]),
  ...(['none', 'plain', 'normed'] as const).map((factor) => sumFunction(`sum ${factor}`, factor)),
];

/** Addresses in bytes, in the order of the functions' parameters. */
export interface SimdRows extends
  Record<NormName, (x: number, gain: number, shift: number, out: number, statistics: number, groups: number, rows: number, bytes: number, epsilon: number, share: number) => void>,
  Record<`${NormName}Gradient`, (x: number, dy: number, gain: number, statistics: number, dx: number, groups: number, rows: number, bytes: number, share: number) => void>,
  Record<'GatedResidual' | 'GatedResidualGradient', (x: number, gate: number, y: number, out: number, groups: number, rows: number, bytes: number) => void>,
  Record<GeluName | `${GeluName}Gradient`, (x: number, dy: number, out: number, bytes: number) => void>,
  Record<`sum ${Factor}`, (dy: number, factor: number, statistics: number, out: number, groups: number, rows: number, bytes: number) => void> {}

/** Null where there is no SIMD. */
export const simdRows = overMemory<SimdRows>(functions);
