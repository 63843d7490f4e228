/**
 * Large pictures in tiles, so that no more than one tile's activations are in memory. A tile is computed with as much of what lies
 * around it as its layers can see, and cut back to its core: at the cuts nothing shows. What a tile cannot see are the averages that
 * group norms take over a picture. So the tiles run twice: the first time each goes by its own averages and they are noted, the second
 * time all go by the averages of all.
 */
import { clone, concat, keep, slice, tidy, type Tensor4D } from '../../engine/tf';
import { giveBack } from '../../engine/webgpu/submit';
import { drainAsync, Hold, type Between } from '../steps';
import { groupAverages, groupNorm, pooled, type Averages, type GroupNorm } from './groupNorm';
import { layerSteps, reachOf, type Normalise } from './klLayers';
import type { KlLayer } from './klWeights';

export interface Span { from: number; to: number }
/** `around` holds `core` and what it needs to see. */
export interface Tile { core: Span; around: Span }

/** Cores of at most `size` that divide `length` evenly. */
export function tilesOf(length: number, size: number, reach: number): Tile[] {
  const count = Math.ceil(length / size);
  const cut = (i: number) => Math.round((i * length) / count);
  return Array.from({ length: count }, (_, i) => ({
    core: { from: cut(i), to: cut(i + 1) },
    around: { from: Math.max(0, cut(i) - reach), to: Math.min(length, cut(i + 1) + reach) },
  }));
}

const lengthOf = ({ from, to }: Span): number => to - from;

/** x [1,h·s,w·s,C], of the tile's surroundings at any fineness s → its core's part. */
function cropped(x: Tensor4D, row: Tile, column: Tile): Tensor4D {
  const [, height, , channels] = x.shape;
  const s = height / lengthOf(row.around);
  const begin = [0, (row.core.from - row.around.from) * s, (column.core.from - column.around.from) * s, 0] as [number, number, number, number];
  return slice(x, begin, [1, lengthOf(row.core) * s, lengthOf(column.core) * s, channels]);
}

export interface TiledRun {
  layers: readonly KlLayer[];
  /** [1,h·fineness,w·fineness,C] */
  x: Tensor4D;
  /** Size of the coarsest picture among the layers' own, in whose places tiles are cut. */
  height: number;
  width: number;
  size: number;
  between: Between;
}

/** The layers' result for all of x, which stays the caller's. Awaits `between` after each layer of each tile. */
export async function runTiled({ layers, x, height, width, size, between }: TiledRun): Promise<Tensor4D> {
  const reach = reachOf(layers);
  const [rows, columns] = [tilesOf(height, size, reach), tilesOf(width, size, reach)];
  const fineness = x.shape[1] / height;
  const tile = (row: Tile, column: Tile, normalise: Normalise) => {
    const [top, left] = [row.around.from * fineness, column.around.from * fineness];
    return drainAsync(layerSteps(layers, tidy(() => slice(x, [0, top, left, 0], [1, lengthOf(row.around) * fineness, lengthOf(column.around) * fineness, x.shape[3]])), normalise), between);
  };
  if (rows.length * columns.length === 1) return drainAsync(layerSteps(layers, clone(x)), between);

  const hold = new Hold();
  try {
    const noted = new Map<GroupNorm, (Averages & { share: number })[]>();
    for (const row of rows) {
      for (const column of columns) {
        const share = (lengthOf(row.core) * lengthOf(column.core)) / (height * width);
        (await tile(row, column, (given, norm, silu) => {
          const core = cropped(given, row, column);
          const averages = groupAverages(core, norm.groups);
          giveBack(core);
          Object.values(averages).forEach((each) => hold.add(keep(each)));
          noted.set(norm, [...(noted.get(norm) ?? []), { ...averages, share }]);
          return groupNorm(given, norm, silu, averages);
        })).dispose();
      }
    }
    const whole = new Map([...noted].map(([norm, all]) => {
      const averages = pooled(all);
      all.forEach(({ mean, variance }) => hold.drop(mean, variance));
      Object.values(averages).forEach((each) => hold.add(each));
      return [norm, averages];
    }));
    const lines: Tensor4D[] = [];
    for (const row of rows) {
      const line: Tensor4D[] = [];
      for (const column of columns) {
        const made = await tile(row, column, (given, norm, silu) => groupNorm(given, norm, silu, whole.get(norm)));
        line.push(hold.add(tidy(() => cropped(made, row, column))));
        giveBack(made);
      }
      lines.push(hold.add(tidy(() => concat(line, 2) as Tensor4D)));
      hold.drop(...line);
    }
    return tidy(() => concat(lines, 1) as Tensor4D);
  } finally {
    hold.free();
  }
}
