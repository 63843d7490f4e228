/** The balance slider, always in sight: its ends have names, its value is large. Arrow keys move it, fine with Shift. */
import type { KeyboardEvent } from 'react';
import type { FigureMeta } from '../../methods/meta';
import type { RecordedExample } from '../../protocol/example';
import { metaOf } from '../../protocol/recipe';
import { balanceRange } from '../../state/params';
import type { StudioState } from '../../state/slice';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

const FINE = 0.01;
const PAGE = 0.25;

function stepOf({ key, shiftKey }: KeyboardEvent): number {
  const by = shiftKey ? FINE : balanceRange.step;
  return { ArrowRight: by, ArrowUp: by, ArrowLeft: -by, ArrowDown: -by, PageUp: PAGE, PageDown: -PAGE }[key] ?? 0;
}

/** The figure that is the balance's unit, as the method calls it; null where it has none. */
const unitOf = ({ run, opened, recipe }: Pick<StudioState, 'run' | 'opened' | 'recipe'>): FigureMeta | null => {
  const { unit, figures } = metaOf(run?.recipe ?? opened?.recipe ?? recipe);
  return figures.find(({ name }) => name === unit) ?? null;
};

/** The unit's value: some methods solve it in a later stage only, and before that there is none to name. */
const lambdaOf = (state: Pick<StudioState, 'run' | 'opened' | 'metrics' | 'recipe'>): number | null => {
  const { run, opened, metrics } = state;
  const unit = unitOf(state);
  if (!unit) return null;
  return opened?.lambda ?? (run && metrics.some(({ figures }) => figures[unit.name]) ? run.lambda : null);
};

export function BalanceCard({ example, live }: { example: RecordedExample | null; live: boolean }) {
  const actions = useActions();
  const balance = useStudio((state) => state.balance);
  const unit = useStudio(unitOf);
  const lambda = useStudio(lambdaOf);
  const alive = live || example !== null;
  const shownLambda = example ? example.lambda : lambda;
  const onKeyDown = (event: KeyboardEvent) => {
    const by = stepOf(event);
    if (by === 0) return;
    event.preventDefault();
    actions.setBalance(Math.round((balance + by) / FINE) * FINE);
  };
  return (
    <div className="balance-card">
      <div className="row">
        <label htmlFor="balance-input"><b>Balance</b> <span className="muted">{alive ? 'how strongly the concept acts' : 'comes alive with the first picture'}</span></label>
        <p className="balance-figures">
          <output className="balance-value" data-testid={ids.balanceValue} htmlFor="balance-input">{balance.toFixed(2)}</output>
          {unit && shownLambda !== null && <span className="muted" title={`Balance 1 is the strength ${unit.label} that the pictures themselves ask for, its median over the steps.`}> × {unit.label} of <span data-testid={ids.lambda}>{shownLambda.toFixed(2)}</span></span>}
        </p>
      </div>
      <input id="balance-input" type="range" className="balance" data-testid={ids.balance} min={balanceRange.min} max={balanceRange.max} step={FINE} value={balance} disabled={!alive}
        aria-valuetext={balance.toFixed(2)} aria-describedby="balance-ends" onKeyDown={onKeyDown} onChange={(event) => actions.setBalance(Number(event.target.value))} />
      <div className="balance-ends" id="balance-ends">
        <span className="base">0 · base</span><span className="concept">1 · as learned</span><span>2 · exaggerated</span>
      </div>
    </div>
  );
}
