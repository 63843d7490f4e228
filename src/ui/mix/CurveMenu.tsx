/** When a guidance acts, from pure noise (σ = 1) to the picture (σ = 0). Curves are drawn in the right column. */
import { DropdownMenu } from 'radix-ui';
import type { MixGuidance, Schedule } from '../../protocol/mix';
import { useActions } from '../studio';
import { mixRowId } from '../testIds';

export const schedules: readonly { label: string; why: string; schedule: Schedule }[] = [
  { label: 'constant', why: 'all the way', schedule: { kind: 'constant' } },
  { label: 'first half', why: 'shapes and places', schedule: { kind: 'interval', from: 1, to: 0.5 } },
  { label: 'second half', why: 'surfaces and colours', schedule: { kind: 'interval', from: 0.5, to: 0 } },
  { label: 'middle', why: 'neither the first nor the last steps', schedule: { kind: 'interval', from: 0.9, to: 0.2 } },
  { label: 'ramp down', why: 'strong first', schedule: { kind: 'ramp', first: 1, last: 0 } },
  { label: 'ramp up', why: 'strong last', schedule: { kind: 'ramp', first: 0, last: 1 } },
  { label: 'curve', why: 'drawn by hand', schedule: { kind: 'curve', points: [{ sigma: 1, factor: 0.5 }, { sigma: 0.7, factor: 1 }, { sigma: 0.3, factor: 1 }, { sigma: 0, factor: 0.5 }] } },
];

const scheduleName = (schedule: Schedule): string => (schedule.kind === 'curve' ? 'curve' : schedules.find((each) => JSON.stringify(each.schedule) === JSON.stringify(schedule))?.label ?? schedule.kind);

export function CurveMenu({ guidance: { id, schedule }, n }: { guidance: MixGuidance; n: number }) {
  const actions = useActions();
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild><button type="button" className="tool" data-testid={mixRowId('curve', n)} data-set={schedule.kind !== 'constant' || undefined}>{scheduleName(schedule)}</button></DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="start" sideOffset={4}>
          {schedules.map((each) => <DropdownMenu.Item key={each.label} className="menu-item" data-testid={`mix-curve-${n}-${each.schedule.kind}`} onSelect={() => actions.setGuidance(id, { schedule: each.schedule })}>{each.label} <span className="note">{each.why}</span></DropdownMenu.Item>)}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
