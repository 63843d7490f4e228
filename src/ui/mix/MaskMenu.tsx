/** Where a guidance acts: everywhere, a half, or what the brush paints on the picture; and whether it draws there as if it stood alone. */
import { DropdownMenu } from 'radix-ui';
import type { MixGuidance } from '../../protocol/mix';
import { useActions } from '../studio';
import { mixRowId } from '../testIds';
import { masks, nameOf } from './masks';

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
