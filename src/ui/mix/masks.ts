/** The masks that a guidance can choose from, and what a mask is called on the page. */
import type { Mask } from '../../protocol/mix';

const half = (left: number, top: number, right: number, bottom: number): Mask => ({ kind: 'box', left, top, right, bottom, feather: 0.12 });
/** Cells a side of a painted mask: one for each of the embedded base's latent pixels. */
const PAINTED_SIDE = 16;

export const masks: readonly { label: string; mask: Mask }[] = [
  { label: 'everywhere', mask: { kind: 'everywhere' } },
  { label: 'left', mask: half(0, 0, 0.5, 1) },
  { label: 'right', mask: half(0.5, 0, 1, 1) },
  { label: 'top', mask: half(0, 0, 1, 0.5) },
  { label: 'bottom', mask: half(0, 0.5, 1, 1) },
  { label: 'middle', mask: half(0.25, 0.25, 0.75, 0.75) },
  { label: 'painted', mask: { kind: 'painted', side: PAINTED_SIDE, cells: '0'.repeat(PAINTED_SIDE ** 2) } },
];

/** A box by the side that it stands at, whatever it reaches to. */
export function nameOf(mask: Mask): string {
  if (mask.kind !== 'box') return mask.kind;
  const { left, top, right, bottom } = mask;
  const [across, down] = [left <= 0 && right >= 1, top <= 0 && bottom >= 1];
  if (down && !across && (left <= 0 || right >= 1)) return left <= 0 ? 'left' : 'right';
  if (across && !down && (top <= 0 || bottom >= 1)) return top <= 0 ? 'top' : 'bottom';
  return masks.find((each) => JSON.stringify(each.mask) === JSON.stringify(mask))?.label ?? 'box';
}
