/** Likeness and drift: live from the preview twins, exact from Measure, which also gives the verdict. Only measured figures stand here. */
import { runReport } from '../../state/report';
import { isMoving } from '../../protocol/run';
import type { StudioState } from '../../state/slice';
import { duration } from '../format';
import { saveFile } from '../download';
import { FaultNote } from '../parts/FaultNote';
import { Meter } from '../parts/Meter';
import { useActions, useStudio, useStudioNow } from '../studio';
import { ids } from '../testIds';
import { isGood, verdict } from './verdict';

/** Mean absolute pixel difference (pixels in −1…1) at which the drift bar is full: twins that share little but their colours. */
const FULL_DRIFT = 0.5;

/** Nothing names it, so that prompts with and without it cannot be told apart. */
const isWorld = ({ run, opened, recipe }: Pick<StudioState, 'run' | 'opened' | 'recipe'>): boolean => (run ?? opened ?? { recipe }).recipe.kind === 'world';

/** Without an image encoder nothing tells how alike pictures are. */
const canSee = ({ ready }: Pick<StudioState, 'ready'>): boolean => ready?.sees ?? true;

export function WhatChanged() {
  const changed = useStudio((state) => state.changed);
  const measures = useStudio((state) => state.measures);
  const fault = useStudio((state) => state.measureFault);
  const world = useStudio(isWorld);
  const sees = useStudio(canSee);
  const drift = measures ? (measures.driftBase + measures.driftUnrelated) / 2 : (changed?.drift ?? null);
  return (
    <div className="changed-block">
      <div className="row section"><h2>What changed</h2><MeasureButton /></div>
      {(sees || measures) && <Meter label="Likeness to your pictures" term="CLIP-I, cosine to the set" value={measures?.likeness ?? changed?.likeness ?? null} full={1} tone="concept" testId={ids.likeness} />}
      {!world && <Meter label="Drift of everything else" term="mean pixel difference of twins" value={drift} full={FULL_DRIFT} tone="base" testId={ids.drift} />}
      <div className="changed-note"><Finding /></div>
      <FaultNote fault={fault} />
    </div>
  );
}

function MeasureButton() {
  const actions = useActions();
  const measuring = useStudio((state) => state.measuring);
  const measured = useStudio((state) => state.measures !== null);
  const moving = useStudio((state) => isMoving(state.run));
  const world = useStudio(isWorld);
  const here = useStudio((state) => (state.run !== null ? state.elsewhere === null : state.opened?.pictured === true));
  const sees = useStudio(canSee);
  // an imported concept came without pictures to be measured against
  if (!here || world || !sees) return null;
  if (!measuring) return <button type="button" className="link" data-testid={ids.measure} disabled={moving} title={moving ? 'Pause first' : 'Draws twins on 8 Base and 8 unrelated prompts'} onClick={() => void actions.measure()}>{measured ? 'Measure again' : 'Measure'}</button>;
  return (
    <span className="note">
      {measuring.total > 0 ? `picture ${measuring.done} of ${measuring.total}` : 'beginning'}{measuring.secondsLeft !== null && ` · ${duration(measuring.secondsLeft)} left`}
      {' '}<button type="button" className="link" data-testid={ids.cancelMeasure} onClick={actions.cancelMeasure}>Cancel</button>
    </span>
  );
}

/** What the figures say in words, and the ways to take them along. */
function Finding() {
  const changed = useStudio((state) => state.changed);
  const measures = useStudio((state) => state.measures);
  const sheet = useStudio((state) => state.sheet);
  const hasRun = useStudio((state) => state.run !== null);
  const pictured = useStudio((state) => state.opened?.pictured === true);
  const now = useStudioNow();
  const world = useStudio(isWorld);
  const sees = useStudio(canSee);
  if (world) return <p className="note">{changed ? `From the preview at step ${changed.step}, to the first of your pictures. ` : ''}Measure asks for the concept by name, and a world has none: draw, and compare with the base.</p>;
  if (!measures && !sees) return <p className="note">{changed ? `From the preview twins at step ${changed.step}. ` : hasRun ? 'Comes with the first preview. ' : ''}Likeness is not measured: this model has no image encoder. Compare the twins by eye.</p>;
  if (!measures) return <p className="note">{changed ? `From the preview twins at step ${changed.step}. Measure to see whether it is learned.` : hasRun ? 'Comes with the first preview.' : pictured ? 'Not measured.' : 'Not measured. Likeness takes the pictures it was learned from, and this concept came without them.'}</p>;
  const { nearer, whole, prompts, likeness, likenessBase, likenessElsewhere } = measures;
  const saveReport = () => {
    const report = runReport(now());
    if (report) saveFile(new Blob([JSON.stringify(report, null, 1)], { type: 'application/json' }), 'run.json');
  };
  return (
    <>
      <p className="note" title={`The base’s own likeness is ${likenessBase.toFixed(2)}.`}><b className={isGood(measures) ? 'good' : 'warning'} data-testid={ids.verdict}>{verdict(measures)}</b> Nearer to your pictures than the base in {nearer} of {prompts.length}{whole != null && <span data-testid={ids.whole} title="Laid part by part on the things of your pictures">, whole in {whole}</span>}.</p>
      {likenessElsewhere != null && <p className="note" data-testid={ids.elsewhere}>In other tools: {likenessElsewhere.toFixed(2)}, here {likeness.toFixed(2)}.</p>}
      {sheet && (
        <p className="note">
          <button type="button" className="link" data-testid={ids.saveSheet} onClick={() => saveFile(sheet, 'lamina-twins.png')}>Save the twin sheet</button>
          {hasRun && <> · <button type="button" className="link" data-testid={ids.saveReport} onClick={saveReport}>Save the figures</button></>}
        </p>
      )}
    </>
  );
}
