/**
 * Guidance fusion: v0 + Σ wᵢ·mᵢ⊙(vᵢ − v0). Kernel `GuidanceFusion` on WebGPU (shaders/guidance_fusion.wgsl), composed ops elsewhere;
 * both take terms of weight 0 for absent, so that they change nothing, not even NaN.
 * Fewest bytes: v0 and each term are read once and the result is written once, K + 2 velocities. Velocities are read where the passes
 * left them (`Slice`), so nothing is cut apart or packed; equal masks are read as one, at the size of their cells. One dispatch takes 32
 * terms out of six buffers. What needs more buffers adds to the result in a further one, which reads v0 again: three velocities more.
 * Gradients for v0 and the terms: dv0 = dy·(1 − Σ wᵢmᵢ), dvᵢ = wᵢmᵢ·dy. Weights and masks are constants.
 */
import code from '../../../shaders/guidance_fusion.wgsl?raw';
import { allocate, dispatch, uniforms, type Member, type Program } from '../webgpu/dispatch';
import { invariant } from '../invariant';
import { alias, withGradient } from '../ops/withGradient';
import { add, broadcastTo, concat, engine, getBackend, getKernel, mul, registerKernel, reshape, slice, sub, tidy, util, type NamedTensorMap, type Tensor, type TensorInfo } from '../tf';
import { widened, widthFor } from '../widened';

/** One velocity of several that lie one after the other: the `at`-th. */
export interface Slice { source: Tensor; at: number }
export interface FusionTerm extends Slice { weight: number; mask: Tensor | null }

/** Velocities' buffers bound at once: masks and the result take the other two of eight. */
const SOURCES = 6;
/** Length of the shader's table. */
const TERMS = 32;

/** In numbers: which of the sources, and the place and mask in it. */
interface Entry { source: number; at: number; weight: number; mask: number }
interface Attributes { shape: number[]; origin: Entry; entries: Entry[]; inner: number; period: number }

/** Entries in order, as many to a dispatch as it can bind. */
function dispatches(entries: readonly Entry[], origin: number): Entry[][] {
  const groups: Entry[][] = [[]];
  for (const entry of entries) {
    const last = groups.at(-1)!;
    const bound = new Set([origin, entry.source, ...last.map(({ source }) => source)]);
    if (bound.size > SOURCES || last.length === TERMS) groups.push([entry]);
    else last.push(entry);
  }
  return groups;
}

const LINE = '  sum += u.table[0].weight * masked(0, cell) * (s0[u.table[0].offset + i] - origin);';

/** The shader with a line for each term: the number of its source, after an m where it has a mask. */
function programOf(terms: readonly string[]): Program {
  const lines = terms.map((term, t) => LINE.replaceAll('table[0]', `table[${t}]`).replace(' * masked(0, cell)', term.startsWith('m') ? ` * masked(${t}, cell)` : '').replace('s0[', `s${term.at(-1)}[`));
  return { name: `guidance_fusion ${terms.join(' ')}`, code: code.replace(LINE, lines.join('\n')) };
}

registerKernel({
  kernelName: 'GuidanceFusion',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { shape, origin, entries, inner, period } = attrs as unknown as Attributes;
    const masks = inputs['masks'] as TensorInfo | undefined;
    const elements = util.sizeFromShape(shape);
    const width = widthFor(masks ? inner : elements);
    const size = elements / width;
    const out = allocate(backend, shape);
    dispatches(entries, origin.source).forEach((group, i) => {
      const bound = [...new Set([origin.source, ...group.map(({ source }) => source)])];
      const sources = Array.from({ length: SOURCES }, (_, s) => inputs[`source${bound[s] ?? bound[0]!}`] as TensorInfo);
      const entry = ({ at, mask, weight }: Entry): Member[] => [['u', at * size], ['u', Math.max(0, mask)], ['f', weight], ['u', 0]];
      const head: Member[] = [size, origin.at * size, Math.max(1, inner / width), period].map((value) => ['u', value]);
      const table = Array.from({ length: TERMS }, (_, t) => group[t] ?? origin).flatMap(entry);
      const program = widened({ ...programOf(group.map(({ source, mask }) => `${mask < 0 ? '' : 'm'}${bound.indexOf(source)}`)), constants: { FRESH: i === 0 ? 1 : 0 } }, width);
      dispatch(backend, program, [...sources, masks ?? sources[0]!, out], uniforms([...head, ...table]), Math.ceil(size / 64));
    });
    return out;
  },
});

/** Masks one after the other as cells that each cover `inner` numbers in a row and repeat after `period` of them. */
function packed(masks: readonly Tensor[], shape: readonly number[]): { cells: Tensor | null; inner: number; period: number } {
  if (masks.length === 0) return { cells: null, inner: 1, period: 1 };
  const shapes = masks.map((mask) => [...new Array<number>(shape.length - mask.rank).fill(1), ...mask.shape]);
  const varies = shape.map((_, axis) => shapes.some((one) => one[axis] !== 1));
  const from = Math.max(0, varies.indexOf(true));
  const to = Math.max(from, varies.lastIndexOf(true) + 1);
  const middle = shape.slice(from, to);
  const cells = masks.map((mask, i) => reshape(broadcastTo(reshape(mask, shapes[i]!.slice(from, to)), middle), [-1]));
  return { cells: cells.length === 1 ? cells[0]! : concat(cells), inner: util.sizeFromShape(shape.slice(to)), period: util.sizeFromShape(middle) };
}

function fused(shape: readonly number[], v0: Slice, terms: readonly FusionTerm[]): Tensor {
  const sources = [...new Set([v0.source, ...terms.map(({ source }) => source)])];
  const masks = [...new Set(terms.flatMap(({ mask }) => mask ?? []))];
  const { cells, inner, period } = packed(masks, shape);
  const entry = ({ source, at, weight, mask }: FusionTerm): Entry => ({ source: sources.indexOf(source), at, weight, mask: mask ? masks.indexOf(mask) : -1 });
  const inputs: NamedTensorMap = { ...Object.fromEntries(sources.map((source, i) => [`source${i}`, source])), ...(cells && { masks: cells }) };
  const attributes: Attributes = { shape: [...shape], origin: entry({ ...v0, weight: 1, mask: null }), entries: terms.map(entry), inner, period };
  return engine().runKernel('GuidanceFusion', inputs, attributes as unknown as Record<string, number>) as unknown as Tensor;
}

const masked = (x: Tensor, { weight, mask }: Pick<FusionTerm, 'weight' | 'mask'>) => mul(mask ? mul(x, mask) : x, weight);

/** The velocity of a slice; source itself where it is all there is. */
function taken({ source, at }: Slice, shape: readonly number[]): Tensor {
  if (source.size === util.sizeFromShape([...shape])) return source;
  return slice(source, [at * shape[0]!, ...shape.slice(1).map(() => 0)], [...shape]);
}

function composed(shape: readonly number[], v0: Slice, terms: readonly FusionTerm[]): Tensor {
  const origin = taken(v0, shape);
  return terms.reduce((sum, term) => add(sum, masked(sub(taken(term, shape), origin), term)), origin);
}

type Form = typeof composed;
const chosen = (): Form => (getKernel('GuidanceFusion', getBackend()) ? fused : composed);

function fusion(form: Form, v0: Tensor, terms: Tensor[], weights: number[], masks: (Tensor | null)[]): Tensor {
  invariant(terms.length === weights.length, `${terms.length} terms, ${weights.length} weights`);
  invariant(terms.every((v) => util.arraysEqual(v.shape, v0.shape)), 'a term has another shape than v0');
  const parts = terms.map((source, i): FusionTerm => ({ source, at: 0, weight: weights[i]!, mask: masks[i] ?? null }));
  const present = parts.filter(({ weight }) => weight !== 0);
  return withGradient(
    { v0, ...Object.fromEntries(terms.map((v, i) => [`term${i}`, v])) },
    (save) => {
      save(parts.flatMap(({ mask }) => mask ?? []));
      return present.length === 0 ? alias(v0) : form(v0.shape, { source: v0, at: 0 }, present);
    },
    (dy, saved) => {
      const masksKept = [...saved];
      const kept = parts.map(({ weight, mask }) => ({ weight, mask: mask && masksKept.shift()! }));
      return {
        v0: () => kept.reduce((sum, part) => sub(sum, masked(dy, part)), alias(dy)),
        ...Object.fromEntries(kept.map((part, i) => [`term${i}`, () => masked(dy, part)])),
      };
    },
  );
}

/** v0 and terms: one shape. Masks broadcast against it; null or none is 1 everywhere. */
export function guidanceFusion<T extends Tensor>(v0: T, terms: T[], weights: number[], masks: (Tensor | null)[] = []): T {
  return fusion(chosen(), v0, terms, weights, masks) as T;
}

/** The same from tfjs' own ops, on every backend: what the kernel is tested against. */
export function guidanceFusionComposed<T extends Tensor>(v0: T, terms: T[], weights: number[], masks: (Tensor | null)[] = []): T {
  return fusion(composed, v0, terms, weights, masks) as T;
}

function fusionOfSlices<T extends Tensor>(form: Form, shape: T['shape'], v0: Slice, terms: readonly FusionTerm[]): T {
  const size = util.sizeFromShape(shape);
  invariant([v0, ...terms].every(({ source, at }) => source.size >= (at + 1) * size), 'a slice lies beyond its source');
  const present = terms.filter(({ weight }) => weight !== 0);
  return tidy(() => (present.length === 0 ? (v0.source.size === size ? alias(v0.source) : taken(v0, shape)) : form(shape, v0, present))) as T;
}

/** The same of velocities that lie in larger tensors [n·B,…], `shape` [B,…] each. It has no gradients. The caller disposes. */
export function guidanceFusionOf<T extends Tensor>(shape: T['shape'], v0: Slice, terms: readonly FusionTerm[]): T {
  return fusionOfSlices<T>(chosen(), shape, v0, terms);
}

/** The same from tfjs' own ops, on every backend. */
export function guidanceFusionOfComposed<T extends Tensor>(shape: T['shape'], v0: Slice, terms: readonly FusionTerm[]): T {
  return fusionOfSlices<T>(composed, shape, v0, terms);
}
