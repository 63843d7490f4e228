/**
 * Reading a checkpoint completely: every tensor that a model asks for must be there in the expected shape, and when the
 * model is built nothing of its part of the file may be left over. Linear weights are stored [out,in] and become [in,out].
 */
import { frozenLinear, frozenPacked, type FrozenLinear } from '../engine/ops';
import { placePacked } from '../engine/packed/packedMatrix';
import type { PackedLayer, Packing } from '../formats/packing';
import { tensor, tensor1d, type Tensor, type Tensor1D } from '../engine/tf';
import { Fault } from '../protocol/faults';
import type { WeightSource } from './weightSource';

const OTHER_FILE = 'Use the unchanged file of a model that Lamina supports.';

/** Where a tensor comes from: a key; of it one of `of` equal parts along the first axis; its halves exchanged. */
export interface Origin { key: string; part?: { index: number; of: number }; swapHalves?: boolean }

/** A layer's weights, once they are asked for. */
export interface LayerWeights {
  /** [in,out] */
  values(): Promise<Float32Array>;
  /** As they are stored, where they are stored packed. */
  packed: PackedLayer | null;
}

/** Makes a layer of its weights: packs them, or leaves them where they are until they are needed. */
export type LayerMaker = (inFeatures: number, outFeatures: number, weights: LayerWeights, bias: Tensor1D | null) => Promise<FrozenLinear> | FrozenLinear;

/** Weights that are stored packed stay so, whatever is asked for. */
export const packedLayer = (packing: Packing): LayerMaker => async (inFeatures, outFeatures, { values, packed }, bias) =>
  packed ? frozenPacked(placePacked(await packed.read()), bias) : frozenLinear(await values(), inFeatures, outFeatures, bias, packing);

export class WeightReader {
  private readonly used = new Set<string>();

  /** `origin` translates the model's own (diffusers) names to the file's. */
  constructor(private readonly source: WeightSource, private readonly origin: (name: string) => Origin = (key) => ({ key })) {}

  has(name: string): boolean {
    return this.source.has(this.origin(name).key);
  }

  /** Shape under the model's own name. Throws Fault `tensor-missing`. */
  shape(name: string): number[] {
    const { key, part } = this.origin(name);
    if (!this.source.has(key)) throw new Fault('tensor-missing', `The weights have no tensor “${key}”.`, OTHER_FILE, { subject: key });
    const [first = 1, ...rest] = this.source.shape(key);
    return [part ? first / part.of : first, ...rest];
  }

  /** Marks a tensor as read; Fault `tensor-shape` if its shape is another one. */
  private expect(name: string, expected: readonly number[]): void {
    const { key } = this.origin(name);
    const found = this.shape(name);
    if (found.length !== expected.length || found.some((n, i) => n !== expected[i])) {
      throw new Fault('tensor-shape', `The tensor “${key}” has shape [${found.join(', ')}] where the model needs [${expected.join(', ')}].`, OTHER_FILE, { subject: key });
    }
    this.used.add(key);
  }

  /** Values in file order. `expected` is the shape they must have; Fault `tensor-shape` otherwise. */
  async values(name: string, expected: readonly number[]): Promise<Float32Array> {
    const { key, part, swapHalves } = this.origin(name);
    this.expect(name, expected);
    const rows = expected[0] ?? 1;
    const read = part ? await this.source.readRows(key, part.index * rows, (part.index + 1) * rows) : await this.source.read(key);
    if (!swapHalves) return read;
    const half = read.length / 2;
    const swapped = new Float32Array(read.length);
    swapped.set(read.subarray(half), 0);
    swapped.set(read.subarray(0, half), half);
    return swapped;
  }

  async vector(name: string, length: number): Promise<Tensor1D> {
    return tensor1d(await this.values(name, [length]));
  }

  async table<T extends Tensor>(name: string, shape: number[]): Promise<T> {
    return tensor(await this.values(name, shape), shape) as T;
  }

  /** `name`.weight [out,in] and, unless `bias` is false, `name`.bias [out]; in float32 unless `make` makes something else of it. */
  async linear(name: string, inFeatures: number, outFeatures: number, bias = true, make: LayerMaker = packedLayer({ precision: 'f32' })): Promise<FrozenLinear> {
    const key = `${name}.weight`;
    this.expect(key, [outFeatures, inFeatures]);
    const values = async () => transposed(await this.values(key, [outFeatures, inFeatures]), outFeatures, inFeatures);
    const { key: stored, part, swapHalves } = this.origin(key);
    const packed = part || swapHalves ? null : (this.source.packed?.(stored) ?? null);
    const layer = await make(inFeatures, outFeatures, { values, packed }, bias ? await this.vector(`${name}.bias`, outFeatures) : null);
    layer.name = name;
    return layer;
  }

  /** Reads rows [from, to) of a tensor of that shape later, when they are asked for. */
  rows(name: string, expected: readonly number[]): (from: number, to: number) => Promise<Float32Array> {
    this.expect(name, expected);
    const { key, part } = this.origin(name);
    const first = (part?.index ?? 0) * (expected[0] ?? 1);
    return (from, to) => this.source.readRows(key, first + from, first + to);
  }

  /** Marks a tensor as known where only part of it, or nothing, is needed. */
  accept(name: string): void {
    this.used.add(this.origin(name).key);
  }

  /** Throws Fault `tensor-unknown` if a key that starts with `prefix` was never read. */
  finish(prefix = ''): void {
    const unknown = this.source.keys().filter((key) => key.startsWith(prefix) && !this.used.has(key));
    if (unknown.length === 0) return;
    const more = unknown.length > 1 ? ` and ${unknown.length - 1} more` : '';
    throw new Fault('tensor-unknown', `The weights have a tensor “${unknown[0]}”${more} that the model has no place for.`, OTHER_FILE, { subject: unknown[0] });
  }
}

/** Side of the squares that are turned one after the other: a column of the whole would touch another page of memory at each value. */
const TILE = 32;

/** [rows,columns] row-major → [columns,rows]. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(rows, top + TILE);
    for (let left = 0; left < columns; left += TILE) {
      const right = Math.min(columns, left + TILE);
      for (let c = left; c < right; c++) for (let r = top; r < bottom; r++) out[c * rows + r] = values[r * columns + c]!;
    }
  }
  return out;
}
