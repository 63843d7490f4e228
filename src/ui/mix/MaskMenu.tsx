/** Where a guidance acts: everywhere, a half, or what the brush paints on the picture; and whether it draws there as if it stood alone. */
import { DropdownMenu } from 'radix-ui';
import type { Mask, MixGuidance } from '../../protocol/mix';
import { useActions } from '../studio';
import { mixRowId } from '../testIds';

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
function nameOf(mask: Mask): string {
  if (mask.kind !== 'box') return mask.kind;
  const { left, top, right, bottom } = mask;
  const [across, down] = [left <= 0 && right >= 1, top <= 0 && bottom >= 1];
  if (down && !across && (left <= 0 || right >= 1)) return left <= 0 ? 'left' : 'right';
  if (across && !down && (top <= 0 || bottom >= 1)) return top <= 0 ? 'top' : 'bottom';
  return masks.find((each) => JSON.stringify(each.mask) === JSON.stringify(mask))?.label ?? 'box';
}

export function MaskMenu({ guidance: { id, mask, alone }, n, scene }: { guidance: MixGuidance; n: number; /** Whether it has words, and so can draw a scene of its own. */ scene: boolean }) {
  const actions = useActions();
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild><button type="button" className="tool" data-testid={mixRowId('mask', n)} data-set={mask.kind !== 'everywhere' || undefined}>{mask.kind === 'everywhere' ? 'mask' : `mask: ${nameOf(mask)}`}</button></DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="start" sideOffset={4}>
          {masks.map((each) => <DropdownMenu.Item key={each.label} className="menu-item" data-testid={`mix-mask-${n}-${each.label}`} onSelect={() => actions.setGuidance(id, { mask: each.mask })}>{each.label === 'painted' ? 'paint on the picture' : each.label}</DropdownMenu.Item>)}
          {scene && <><DropdownMenu.Separator className="menu-line" />
          <DropdownMenu.CheckboxItem className="menu-item" data-testid={`mix-alone-${n}`} checked={alone} onCheckedChange={(next) => actions.setGuidance(id, { alone: next })}>a scene of its own <span className="note">{alone ? 'on' : 'off'}</span></DropdownMenu.CheckboxItem></>}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
