/** Over training: one preview every N steps, fixed prompt and seed; a click shows that step in the twins. Places of the row are reserved for those to come. */
import { useEffect, useRef } from 'react';
import type { StripEntry } from '../../state/drawing';
import { isOpen } from '../../state/run';
import { PictureCanvas } from '../parts/PictureCanvas';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';

const sides = [{ value: 'concept', label: 'Complete prompt' }, { value: 'customBase', label: 'Base prompt' }] as const;
/** A world's second picture has no prompt: what it draws by itself. */
const worldSides = [{ value: 'concept', label: 'The prompt' }, { value: 'customBase', label: 'No words' }] as const;

/** Thumbnails of a row; longer strips scroll. */
const ROW = 9;

export function Strip() {
  const actions = useActions();
  const strip = useStudio((state) => state.strip);
  const run = useStudio((state) => state.run);
  const side = useStudio((state) => state.stripSide);
  const pinned = useStudio((state) => state.pinnedStep);
  const newest = strip.at(-1)?.step ?? null;
  const row = useRef<HTMLOListElement>(null);
  // a long strip shows its newest end, also after its width changed, unless an older step is being looked at
  useEffect(() => {
    const target = row.current;
    if (!target || pinned !== null) return;
    const toEnd = new ResizeObserver(() => { target.scrollLeft = target.scrollWidth; });
    toEnd.observe(target);
    return () => toEnd.disconnect();
  }, [newest, pinned]);
  if (!run) return null;
  const coming = Math.ceil((run.totalSteps - (newest ?? 0)) / run.recipe.previewEvery);
  const empty = isOpen(run) ? Math.max(0, Math.min(coming, ROW - strip.length)) : 0;
  return (
    <div className="strip">
      <div className="row">
        <h2>Over training</h2>
        <div className="row">
          <Segmented small label="Prompt of the strip" value={side} onChange={actions.setStripSide} options={run.recipe.kind === 'world' ? worldSides : sides} />
          <span className="note">step {run.step} of {run.totalSteps}</span>
        </div>
      </div>
      <ol className="strip-row" ref={row}>
        {strip.map((entry) => <Thumb key={entry.step} entry={entry} side={side} current={pinned === null ? entry.step === newest : entry.step === pinned} pinned={entry.step === pinned} />)}
        {Array.from({ length: empty }, (_, n) => <li key={`empty-${n}`} className="strip-empty" aria-hidden />)}
      </ol>
    </div>
  );
}

function Thumb({ entry, side, current, pinned }: { entry: StripEntry; side: 'concept' | 'customBase'; current: boolean; pinned: boolean }) {
  const actions = useActions();
  return (
    <li>
      <button type="button" className="thumb" data-testid={`strip-${entry.step}`} data-current={current || undefined} aria-pressed={pinned} onClick={() => actions.pin(pinned ? null : entry.step)} aria-label={`Step ${entry.step}`}>
        <PictureCanvas bitmap={entry[side]?.bitmap ?? null} label="" />
        <span className="thumb-step">{entry.step}</span>
      </button>
    </li>
  );
}
