/**
 * Resizing as PyTorch's reference data was made: separable Lanczos, three lobes, widened when shrinking so that every
 * source pixel counts (Pillow's LANCZOS). The browser's own resizing differs between browsers; this does not.
 */
const LOBES = 3;

const lanczos = (x: number): number => {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const t = Math.PI * x;
  return (LOBES * Math.sin(t) * Math.sin(t / LOBES)) / (t * t);
};

/** For each of `to` places: where its window begins, and its weights, which add up to 1. */
function windows(from: number, to: number): { begin: number; weights: Float64Array }[] {
  const scale = from / to;
  const widened = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const begin = Math.max(0, Math.floor(centre - LOBES * widened + 0.5));
    const end = Math.min(from, Math.floor(centre + LOBES * widened + 0.5));
    const weights = Float64Array.from({ length: end - begin }, (__, j) => lanczos((begin + j + 0.5 - centre) / widened));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { begin, weights: weights.map((weight) => weight / sum) };
  });
}

/** RGBA of a square of side `from` → [to·to·3] pixels in −1…1, rounded to 8 bits as picture files are. Transparent places are white. */
export function resampleSquare(rgba: Uint8ClampedArray, from: number, to: number): Float32Array {
  const plan = windows(from, to);
  const narrow = new Float32Array(from * to * 3);
  for (let y = 0; y < from; y++) {
    plan.forEach(({ begin, weights }, x) => {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let j = 0; j < weights.length; j++) {
          const at = 4 * (y * from + begin + j);
          const alpha = rgba[at + 3]! / 255;
          sum += weights[j]! * (rgba[at + c]! * alpha + 255 * (1 - alpha));
        }
        narrow[(y * to + x) * 3 + c] = sum;
      }
    });
  }
  const out = new Float32Array(to * to * 3);
  plan.forEach(({ begin, weights }, y) => {
    for (let place = 0; place < to * 3; place++) {
      let sum = 0;
      for (let j = 0; j < weights.length; j++) sum += weights[j]! * narrow[(begin + j) * to * 3 + place]!;
      out[y * to * 3 + place] = Math.round(Math.min(255, Math.max(0, sum))) / 127.5 - 1;
    }
  });
  return out;
}
