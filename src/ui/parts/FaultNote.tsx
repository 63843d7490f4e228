/** An error beside its cause: what was found, what to do, and at most one button that does it. */
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
    <div className="fault" role="alert" data-testid={ids.fault} data-code={fault.code}>
      <TriangleAlert className="icon" aria-hidden />
      <div>
        <p>{fault.message}</p>
        {fault.remedy !== '' && <p className="muted">{fault.remedy}</p>}
        {action && <button type="button" className="button small" onClick={action.run}>{action.label}</button>}
      </div>
    </div>
  );
}
