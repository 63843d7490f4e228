/**
 * How much of a given picture a drawn one repeats at the same place: the correlation of their edges, at its best over small shifts. An
 * object in another pose before another background shares few edges with its picture; a pasted copy shares all of them.
 *   copy = max over |s| ≤ side/32 of  Σ ∇a(x)·∇b(x+s) / √(Σ|∇a|²·Σ|∇b|²),  at least 0
 */

/** Largest shift, as a part of the side. */
const REACH = 1 / 32;

/** Brightness differences to the right and below, [side·side·2]. */
function edges(pixels: ArrayLike<number>, side: number): Float32Array {
  const light = Float32Array.from({ length: side * side }, (_, i) => 0.299 * pixels[3 * i]! + 0.587 * pixels[3 * i + 1]! + 0.114 * pixels[3 * i + 2]!);
  const out = new Float32Array(side * side * 2);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const i = y * side + x;
      if (x + 1 < side) out[2 * i] = light[i + 1]! - light[i]!;
      if (y + 1 < side) out[2 * i + 1] = light[i + side]! - light[i]!;
    }
  }
  return out;
}

/** 0…1 for two pictures [side·side·3]; 0 where one of them is of a single colour. */
export function copyScore(drawn: ArrayLike<number>, given: ArrayLike<number>, side: number): number {
  const [a, b] = [edges(drawn, side), edges(given, side)];
  const reach = Math.max(1, Math.round(side * REACH));
  let best = 0;
  for (let down = -reach; down <= reach; down++) {
    for (let across = -reach; across <= reach; across++) {
      let [both, own, other] = [0, 0, 0];
      for (let y = Math.max(0, -down); y < side - Math.max(0, down); y++) {
        for (let x = Math.max(0, -across); x < side - Math.max(0, across); x++) {
          const [i, j] = [2 * (y * side + x), 2 * ((y + down) * side + x + across)];
          const [ax, ay, bx, by] = [a[i]!, a[i + 1]!, b[j]!, b[j + 1]!];
          both += ax * bx + ay * by;
          own += ax * ax + ay * ay;
          other += bx * bx + by * by;
        }
      }
      if (own > 1e-9 && other > 1e-9) best = Math.max(best, both / Math.sqrt(own * other));
    }
  }
  return Math.min(1, best);
}
