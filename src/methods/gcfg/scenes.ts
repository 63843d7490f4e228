/**
 * Scenes that stand in each other's way. Where their masks overlap, a place goes to the scene whose words have pulled most there, as far as
 * its mask reaches, and what that leaves goes to the others in proportion: whose thing stands there stands in front.
 */

/** Sums that are more than 1 only by rounding. */
const ROUNDING = 1e-5;

const sumAt = (masks: readonly Float32Array[], i: number): number => masks.reduce((sum, mask) => sum + mask[i]!, 0);

/** Whether masks [h·w], 0…1, overlap anywhere. */
export const areContested = (masks: readonly Float32Array[]): boolean => masks.length > 1 && masks[0]!.some((_, i) => sumAt(masks, i) > 1 + ROUNDING);

/** Mean of each cell and those around it that there are: a thing pulls along its edges more than within them. */
function smoothed(values: Float32Array, height: number, width: number): Float32Array {
  const around = (at: number, size: number) => [at - 1, at, at + 1].filter((each) => each >= 0 && each < size);
  return values.map((_, i) => {
    const cells = around(Math.floor(i / width), height).flatMap((y) => around(i % width, width).map((x) => values[y * width + x]!));
    return cells.reduce((sum, value) => sum + value, 0) / cells.length;
  });
}

/** The masks [h·w] of scenes with what they contest shared out by `pulls` [h·w] ≥ 0, one a scene. They sum to 1 at most; where they did before they are as they were. */
export function shareOut(masks: readonly Float32Array[], pulls: readonly Float32Array[], height: number, width: number): Float32Array[] {
  const strength = pulls.map((pull) => smoothed(pull, height, width));
  const shared = masks.map((mask) => mask.slice());
  for (let i = 0; i < height * width; i++) {
    const sum = sumAt(masks, i);
    if (sum <= 1 + ROUNDING) continue;
    const there = masks.flatMap((mask, j) => (mask[i]! > 0 ? [j] : []));
    const first = there.reduce((best, j) => (strength[j]![i]! > strength[best]![i]! ? j : best));
    const own = masks[first]![i]!;
    for (const j of there) shared[j]![i] = j === first ? own : (masks[j]![i]! / (sum - own)) * (1 - own);
  }
  return shared;
}
