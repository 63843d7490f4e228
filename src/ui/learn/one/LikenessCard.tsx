/** How strongly the picture acts, live on cached velocities: the balance slider of an object. 0 is the base itself. */
import type { KeyboardEvent } from 'react';
import { likenessRange } from '../../../protocol/objects';
import { sightOf } from '../../../state/objects';
import { useActions, useStudio } from '../../studio';
import { ids } from '../../testIds';

const FINE = 0.01, PAGE = 0.25;

function stepOf({ key, shiftKey }: KeyboardEvent): number {
  const by = shiftKey ? FINE : likenessRange.step;
  return { ArrowRight: by, ArrowUp: by, ArrowLeft: -by, ArrowDown: -by, PageUp: PAGE, PageDown: -PAGE }[key] ?? 0;
}

export function LikenessCard() {
  const actions = useActions();
  const strength = useStudio((state) => (state.object ? state.balance : likenessRange.start[sightOf(state) ?? 'object']));
  const alive = useStudio((state) => state.object !== null);
  const { min, max } = likenessRange;
  const set = (value: number) => actions.setBalance(Math.min(max, Math.max(min, value)));
  const onKeyDown = (event: KeyboardEvent) => {
    const by = stepOf(event);
    if (by === 0) return;
    event.preventDefault();
    set(Math.round((strength + by) / FINE) * FINE);
  };
  return (
    <div className="balance-card">
      <div className="row">
        <label htmlFor="balance-input"><b>Likeness</b> <span className="muted">{alive ? 'how strongly the picture acts' : 'comes alive with the first picture'}</span></label>
        <p className="balance-figures"><output className="balance-value" data-testid={ids.balanceValue} htmlFor="balance-input">{strength.toFixed(2)}</output></p>
      </div>
      <input id="balance-input" type="range" className="balance" data-testid={ids.balance} min={min} max={max} step={FINE} value={strength} disabled={!alive}
        aria-valuetext={strength.toFixed(2)} aria-describedby="balance-ends" onKeyDown={onKeyDown} onChange={(event) => set(Number(event.target.value))} />
      <div className="balance-ends" id="balance-ends"><span className="base">0 · text alone</span><span>text leads</span><span className="concept-end">1.4 · picture leads</span></div>
    </div>
  );
}
