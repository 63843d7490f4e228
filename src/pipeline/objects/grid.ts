/** Binary pictures of side × side cells: growing, shrinking, connected parts, holes. Every function returns a new grid. */

/** 1 is inside, row by row. */
export type Grid = Uint8Array;

/** A square window's sums along rows, then columns; what lies outside counts as 0. */
function windowSums(grid: ArrayLike<number>, side: number, radius: number): Float64Array {
  const along = (from: ArrayLike<number>, step: number, across: number) => {
    const out = new Float64Array(side * side);
    for (let line = 0; line < side; line++) {
      let sum = 0;
      for (let i = -radius; i < side; i++) {
        if (i + radius < side) sum += from[line * across + (i + radius) * step]!;
        if (i - radius - 1 >= 0) sum -= from[line * across + (i - radius - 1) * step]!;
        if (i >= 0) out[line * across + i * step] = sum;
      }
    }
    return out;
  };
  return along(along(grid, 1, side), side, 1);
}

/** Mean over a window of (2·radius + 1)² cells, cells outside left out. */
export function blurred(values: ArrayLike<number>, side: number, radius: number): Float64Array {
  const sums = windowSums(values, side, radius);
  const counts = windowSums(new Float64Array(side * side).fill(1), side, radius);
  return sums.map((sum, i) => sum / counts[i]!);
}

/** Plain loops: they are several times as fast as `map` and `from` with a function, and a picture waits for them. */
export function eachCell(count: number, value: (cell: number) => number): Grid {
  const out = new Uint8Array(count);
  for (let cell = 0; cell < count; cell++) out[cell] = value(cell);
  return out;
}

/** The cells whose value is above a threshold. */
export const above = (values: ArrayLike<number>, threshold: number): Grid => eachCell(values.length, (cell) => (values[cell]! > threshold ? 1 : 0));
const inverse = (grid: Grid): Grid => eachCell(grid.length, (cell) => 1 - grid[cell]!);

export const grown = (grid: Grid, side: number, radius: number): Grid => above(windowSums(grid, side, radius), 0);
/** Cells outside the picture count as inside, so that an object at the edge keeps it. */
export const shrunk = (grid: Grid, side: number, radius: number): Grid => inverse(grown(inverse(grid), side, radius));
/** Without what is thinner than the window. */
export function opened(grid: Grid, side: number, radius: number): Grid {
  const found = grown(shrunk(grid, side, radius), side, radius);
  return eachCell(grid.length, (cell) => found[cell]! & grid[cell]!);
}
/** With gaps narrower than the window closed. */
export function closed(grid: Grid, side: number, radius: number): Grid {
  const found = shrunk(grown(grid, side, radius), side, radius);
  return eachCell(grid.length, (cell) => found[cell]! | grid[cell]!);
}

/** Cells that are reached from `seeds` over cells that `may`, four neighbours each. */
export function reached(side: number, seeds: Iterable<number>, may: (cell: number) => boolean): Grid {
  const out = new Uint8Array(side * side);
  const queue: number[] = [];
  const visit = (cell: number) => {
    if (out[cell] || !may(cell)) return;
    out[cell] = 1;
    queue.push(cell);
  };
  for (const seed of seeds) visit(seed);
  for (let cell = queue.pop(); cell !== undefined; cell = queue.pop()) {
    const x = cell % side;
    if (x > 0) visit(cell - 1);
    if (x < side - 1) visit(cell + 1);
    if (cell >= side) visit(cell - side);
    if (cell < side * (side - 1)) visit(cell + side);
  }
  return out;
}

/** Connected parts, each a grid of its own. */
export function parts(grid: Grid, side: number): Grid[] {
  const left = grid.slice();
  const found: Grid[] = [];
  for (let cell = 0; cell < left.length; cell++) {
    if (!left[cell]) continue;
    const part = reached(side, [cell], (next) => left[next] === 1);
    for (let i = cell; i < part.length; i++) if (part[i]) left[i] = 0;
    found.push(part);
  }
  return found;
}

export function edgeCells(side: number): number[] {
  const all = new Set<number>();
  for (let i = 0; i < side; i++) [i, side * (side - 1) + i, side * i, side * i + side - 1].forEach((cell) => all.add(cell));
  return [...all];
}

/** With everything filled that can't be reached from the picture's edge. */
export function filled(grid: Grid, side: number): Grid {
  const outside = reached(side, edgeCells(side), (cell) => grid[cell] === 0);
  return inverse(outside);
}

export function areaOf(grid: Grid): number {
  let sum = 0;
  for (const cell of grid) sum += cell;
  return sum;
}

/** Which cells are inside, or outside. */
export function cellsOf(grid: Grid, wanted: 0 | 1): number[] {
  const out: number[] = [];
  for (let cell = 0; cell < grid.length; cell++) if (grid[cell] === wanted) out.push(cell);
  return out;
}
