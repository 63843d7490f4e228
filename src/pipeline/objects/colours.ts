/** Colours as eyes tell them apart (OKLab), and a few of them that stand for many (k-means). */

/** Lightness and two opponents per pixel [L,a,b], L 0…1, from pixels [n·3] in −1…1. Björn Ottosson's OKLab. */
export function toOklab(pixels: ArrayLike<number>): Float32Array {
  const out = new Float32Array(pixels.length);
  const linear = (value: number) => {
    const c = Math.min(1, Math.max(0, (value + 1) / 2));
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  for (let i = 0; i < pixels.length; i += 3) {
    const [r, g, b] = [linear(pixels[i]!), linear(pixels[i + 1]!), linear(pixels[i + 2]!)];
    const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    out[i] = 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
    out[i + 1] = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
    out[i + 2] = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
  }
  return out;
}

export interface Cluster { middle: Float64Array<ArrayBufferLike>; /** Mean squared distance of its members from the middle. */ spread: number; /** Part of all points. */ share: number }

const ROUNDS = 8;
const far = (points: Float32Array, i: number, width: number, to: Float64Array<ArrayBufferLike>): number => {
  let sum = 0;
  for (let c = 0; c < width; c++) {
    const apart = points[i * width + c]! - to[c]!;
    sum += apart * apart;
  }
  return sum;
};

/** At most `count` clusters of points [n·width]; begins with points far from one another, so that the same points give the same clusters. */
export function clusters(points: Float32Array, width: number, count: number): Cluster[] {
  const n = points.length / width;
  if (n === 0) return [];
  const at = (i: number) => Float64Array.from(points.subarray(i * width, (i + 1) * width));
  let middles: Float64Array<ArrayBufferLike>[] = [at(0)];
  const nearest = new Float64Array(n).fill(Infinity);
  while (middles.length < count) {
    let furthest = 0;
    for (let i = 0; i < n; i++) {
      nearest[i] = Math.min(nearest[i]!, far(points, i, width, middles.at(-1)!));
      if (nearest[i]! > nearest[furthest]!) furthest = i;
    }
    if (nearest[furthest]! < 1e-6) break;
    middles.push(at(furthest));
  }
  let found: Cluster[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const sums = middles.map(() => ({ middle: new Float64Array(width), spread: 0, members: 0 }));
    for (let i = 0; i < n; i++) {
      let [best, least] = [0, Infinity];
      for (let k = 0; k < middles.length; k++) {
        const distance = far(points, i, width, middles[k]!);
        if (distance < least) [best, least] = [k, distance];
      }
      const own = sums[best]!;
      own.members++;
      own.spread += least;
      for (let c = 0; c < width; c++) own.middle[c]! += points[i * width + c]!;
    }
    found = sums.filter(({ members }) => members > 0).map(({ middle, spread, members }) => ({ middle: middle.map((sum) => sum / members), spread: spread / members, share: members / n }));
    middles = found.map(({ middle }) => middle);
  }
  return found;
}

/** Squared distance of a point from the cluster nearest to it, in units of that one's spread and `floor`. */
export function distanceTo(all: readonly Cluster[], points: Float32Array, i: number, width: number, floor: number): number {
  let least = Infinity;
  for (const { middle, spread } of all) {
    const distance = far(points, i, width, middle) / (spread + floor);
    if (distance < least) least = distance;
  }
  return least;
}
