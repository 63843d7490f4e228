/**
 * Whether the thing in a drawn picture is whole, which likeness doesn't see: a dog with a leg in its back is nearly as like.
 * The thing of each given picture is a template: what the image tower's first layer says of the patches that its mask covers. It is laid on the
 * drawn picture at every place, in five sizes and positions between patches, and what lies on each other is compared:
 *   match = max over templates and places of  Σ wᵢ·cos(tᵢ, dᵢ) / Σ wᵢ,   wᵢ the share of patch i that the mask covers
 *   wholeness = match / match of the given pictures among themselves
 * Measured on 24 drawings that the embedded base never saw, eight scenes each, whole and broken (parts of two joined, mirrored, shuffled, blended,
 * molten) and each passed through the autoencoder (in PyTorch, with true masks): of a whole one and a broken one of the same thing the whole one has more in .998 of cases, likeness in .90;
 * above WHOLE are .99 of the whole ones and .04 of the broken ones.
 */
import * as tf from '../../engine/tf';
import type { Tensor3D, Tensor4D } from '../../engine/tf';
import { imageStates, type ClipVision } from '../../models/clip';
import type { Between } from '../../models/steps';
import { maskBox, type ObjectMask } from '../../protocol/objectMasks';
import { mean as average } from './nearness';

/** From here on a picture counts as whole. */
export const WHOLE = 0.86;
/** What one given picture would match of another, where there is only one: the usual value. */
const USUAL_OWN = 0.91;
/** Sizes of a template and, in patches, how far it is moved between two. */
const VARIANTS = [{ scale: 1, by: 0 }, { scale: 5 / 7, by: 0 }, { scale: 5 / 7, by: 0.5 }, { scale: 7 / 5, by: 0 }, { scale: 7 / 5, by: 0.5 }];
/** Of a patch, the least share that the mask must cover; of a template, the fewest patches that say anything. */
const COVERED = 0.25, FEWEST = 4;
const LAYER = 1;
/** Pictures that the tower looks at together. */
const TOGETHER = 32;

/** A picture [side·side·3] in −1…1 with the mask of its thing, 0 or 1 a pixel. */
export interface MaskedPicture { pixels: Float32Array; mask: Uint8Array }

interface Template { of: number; cells: { x: number; y: number; share: number; token: Float32Array }[] }

/** Enlarged about the middle of the mask's box, which comes to the picture's middle, moved on by `by` pixels; edges are repeated. */
export function enlarged({ pixels, mask }: MaskedPicture, side: number, scale: number, by: number): MaskedPicture {
  const box = maskBox({ side, cells: mask })!;
  const [middleX, middleY] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  const out: MaskedPicture = { pixels: new Float32Array(pixels.length), mask: new Uint8Array(mask.length) };
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [fromX, fromY] = [(x + 0.5 - side / 2 - by) / scale + middleX - 0.5, (y + 0.5 - side / 2 - by) / scale + middleY - 0.5];
      const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
      const [u, w] = [fromX - left, fromY - top];
      const clamped = (value: number) => Math.min(side - 1, Math.max(0, value));
      const at = (across: number, down: number) => clamped(top + down) * side + clamped(left + across);
      for (let c = 0; c < 3; c++) {
        const value = (across: number, down: number) => pixels[3 * at(across, down) + c]!;
        out.pixels[3 * (y * side + x) + c] = (1 - w) * ((1 - u) * value(0, 0) + u * value(1, 0)) + w * ((1 - u) * value(0, 1) + u * value(1, 1));
      }
      const [nearX, nearY] = [Math.round(fromX), Math.round(fromY)];
      if (nearX >= 0 && nearX < side && nearY >= 0 && nearY < side) out.mask[y * side + x] = mask[nearY * side + nearX]!;
    }
  }
  return out;
}

/** A mask at the picture's size. */
export function atSize({ side: from, cells }: ObjectMask, side: number): Uint8Array {
  return Uint8Array.from({ length: side * side }, (_, i) => cells[Math.floor((Math.floor(i / side) * from) / side) * from + Math.floor(((i % side) * from) / side)]!);
}

/** Patches' states [n][patches²][d]. */
async function patchesOf(vision: ClipVision, pictures: Tensor4D, between?: Between): Promise<Float32Array[][]> {
  const all: Float32Array[][] = [];
  for (let from = 0; from < pictures.shape[0]; from += TOGETHER) {
    const some = tf.slice(pictures, [from, 0, 0, 0], [Math.min(TOGETHER, pictures.shape[0] - from), -1, -1, -1]);
    const { hidden: [state], embedding } = await imageStates(vision, some, [LAYER], between);
    const values = await (state as Tensor3D).data<'float32'>();
    const [n, tokens, width] = (state as Tensor3D).shape;
    tf.dispose([some, state!, embedding]);
    // the class token is no patch
    for (let i = 0; i < n; i++) all.push(Array.from({ length: tokens - 1 }, (_, p) => values.slice((i * tokens + p + 1) * width, (i * tokens + p + 2) * width)));
  }
  return all;
}

/** Of length 1. */
function pointed(token: Float32Array): Float32Array {
  const length = Math.hypot(...token) || 1;
  return token.map((value) => value / length);
}

function templateOf(of: number, tokens: readonly Float32Array[], mask: Uint8Array, side: number): Template {
  const across = Math.sqrt(tokens.length), patch = side / across;
  const cells = tokens.map((token, p) => {
    const [x, y] = [p % across, Math.floor(p / across)];
    let covered = 0;
    for (let row = 0; row < patch; row++) for (let column = 0; column < patch; column++) covered += mask[(y * patch + row) * side + x * patch + column]!;
    return { x, y, share: covered / patch ** 2, token };
  });
  return { of, cells: cells.filter(({ share }) => share > COVERED) };
}

/** How well the template lies on the picture at its best place, cosine. */
function matchOf({ cells }: Template, picture: readonly Float32Array[]): number {
  const across = Math.sqrt(picture.length);
  const [xs, ys] = [cells.map(({ x }) => x), cells.map(({ y }) => y)];
  const whole = cells.reduce((sum, { share }) => sum + share, 0);
  let best = -1;
  for (let down = -Math.min(...ys); down < across - Math.max(...ys); down++) {
    for (let right = -Math.min(...xs); right < across - Math.max(...xs); right++) {
      let sum = 0;
      for (const { x, y, share, token } of cells) {
        const other = picture[(y + down) * across + x + right]!;
        let cosine = 0;
        for (let i = 0; i < token.length; i++) cosine += token[i]! * other[i]!;
        sum += share * cosine;
      }
      best = Math.max(best, sum / whole);
    }
  }
  return best;
}

/**
 * Wholeness of drawn pictures against given ones, 1 as whole as those; null where no thing of the given ones is large enough, or they share nothing.
 * @param given [n,S,S,3] and their masks, null where there is none; S the tower's size
 */
export async function wholenessOf(vision: ClipVision, drawn: Tensor4D, given: Tensor4D, masks: readonly (Uint8Array | null)[], between?: Between): Promise<number[] | null> {
  const side = vision.imageSize;
  const values = await given.data<'float32'>();
  const seen = masks.flatMap((mask, of) => (mask && maskBox({ side, cells: mask }) ? [{ of, mask, pixels: values.slice(of * side * side * 3, (of + 1) * side * side * 3) }] : []));
  if (seen.length === 0) return null;
  const patch = side / Math.sqrt((vision.positions.shape[0] - 1));
  const variants = seen.flatMap(({ of, ...picture }) => VARIANTS.map(({ scale, by }) => ({ of, ...(scale === 1 ? picture : enlarged(picture, side, scale, by * patch)) })));
  const stacked = tf.tidy(() => tf.stack(variants.map(({ pixels }) => tf.tensor3d(pixels, [side, side, 3]))) as Tensor4D);
  const [templates, plain, made] = [await patchesOf(vision, stacked, between), await patchesOf(vision, given, between), await patchesOf(vision, drawn, between)];
  stacked.dispose();
  const point = (picture: readonly Float32Array[]) => picture.map(pointed);
  const laid = variants.map(({ of, mask }, i) => templateOf(of, point(templates[i]!), mask, side)).filter(({ cells }) => cells.length >= FEWEST);
  if (laid.length === 0) return null;
  const best = (picture: readonly Float32Array[], among: readonly Template[]) => Math.max(...among.map((template) => matchOf(template, picture)));
  const among = seen.map(({ of }) => ({ of, rest: laid.filter((template) => template.of !== of) })).filter(({ rest }) => rest.length > 0);
  const own = among.length > 0 ? average(among.map(({ of, rest }) => best(point(plain[of]!), rest))) : USUAL_OWN;
  return own > 0 ? made.map((picture) => best(point(picture), laid) / own) : null;
}
