/** An error beside its cause, in one line: what was found, what to do, and at most one button that does it. */
import { TriangleAlert } from 'lucide-react';
import type { FaultData } from '../../protocol/faults';
import { ids } from '../testIds';

interface Props {
  fault: FaultData | null;
  /** Label and action of the one button. */
  action?: { label: string; run(): void };
}

export function FaultNote({ fault, action }: Props) {
  if (!fault) return null;
  return (
    <p className="fault with-icon" role="alert" data-testid={ids.fault} data-code={fault.code}>
      <TriangleAlert className="icon" aria-hidden />
      <span>
        {fault.message} <span className="muted">{fault.remedy}</span>
        {action && <> <button type="button" className="link" onClick={action.run}>{action.label}</button></>}
      </span>
    </p>
  );
}
