/** Two weights at once: across the prompt's own (control), up the concepts' together. Arrow keys move it. */
import type { KeyboardEvent, PointerEvent } from 'react';
import { conceptWeight, controlOf } from '../../state/mix';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

/** Weights at the far sides; beyond them the cards' sliders go on. */
const MOST = 2;
const STEP = 0.05;
const within = (value: number) => Math.min(MOST, Math.max(0, value));

export function MixPad() {
  const actions = useActions();
  const control = useStudio((state) => controlOf(state.mix)?.weight ?? null);
  const concept = useStudio((state) => conceptWeight(state.mix));
  const hasConcept = useStudio((state) => state.mix.guidances.some(({ source }) => source.kind !== 'text'));
  const off = control === null || !hasConcept;
  const [x, y] = [within(control ?? 0), within(concept)];
  const move = (event: PointerEvent<HTMLDivElement>) => {
    if (off || (event.type === 'pointermove' && event.buttons === 0)) return;
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    event.currentTarget.setPointerCapture(event.pointerId);
    actions.setPad(within(((event.clientX - left) / width) * MOST), within((1 - (event.clientY - top) / height) * MOST));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowRight: [STEP, 0], ArrowLeft: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] }[event.key];
    if (!by || off) return;
    event.preventDefault();
    actions.setPad(within(x + by[0]!), within(y + by[1]!));
  };
  return (
    <div>
      <h2 id="pad-name">Concept and control</h2>
      <div className="pad" data-testid={ids.mixPad} data-off={off || undefined} role="slider" tabIndex={off ? -1 : 0} aria-labelledby="pad-name" aria-valuenow={y} aria-valuemin={0} aria-valuemax={MOST} aria-disabled={off} aria-valuetext={`control ${x.toFixed(2)}, concept ${y.toFixed(2)}`}
        onPointerDown={move} onPointerMove={move} onKeyDown={onKeyDown} onDoubleClick={() => { if (!off) actions.setPad(1, 1); }}>
        <span className="pad-name top concept">concept {hasConcept ? y.toFixed(2) : ''}</span><span className="pad-name bottom muted">base</span><span className="pad-name end base">control {control === null ? '' : x.toFixed(2)}</span>
        {!off && <span className="pad-thumb" style={{ left: `${(100 * x) / MOST}%`, bottom: `${(100 * y) / MOST}%` }} />}
      </div>
    </div>
  );
}
