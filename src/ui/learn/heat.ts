/** Where two pictures of one size differ, and how much of them does. */

/** A difference of this share of a channel's range is one that is seen. */
const SEEN = 0.1;
/** Amber is what the concept brings; what stayed is dark. */
const COLOUR = [255, 178, 72] as const;
const DARK = 0.65;

/** Of two pictures as RGBA: the same as RGBA to lay over the second one, and the share of pixels, 0…1, that changed visibly. */
export function heatOf(a: Uint8ClampedArray, b: Uint8ClampedArray): { pixels: Uint8ClampedArray<ArrayBuffer>; changed: number } {
  const pixels = new Uint8ClampedArray(a.length);
  let count = 0;
  for (let at = 0; at < a.length; at += 4) {
    const change = Math.max(...[0, 1, 2].map((c) => Math.abs(a[at + c]! - b[at + c]!))) / 255;
    if (change >= SEEN) count++;
    COLOUR.forEach((value, c) => { pixels[at + c] = value * Math.min(1, 2 * change); });
    pixels[at + 3] = 255 * (DARK + (1 - DARK) * Math.min(1, change));
  }
  return { pixels, changed: a.length === 0 ? 0 : (4 * count) / a.length };
}
