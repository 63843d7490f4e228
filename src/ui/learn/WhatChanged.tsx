/** Likeness and drift: live from the preview twins, exact from Measure. Only measured figures stand here. */
import { runReport } from '../../state/report';
import { isMoving } from '../../state/run';
import { saveFile } from '../download';
import { FaultNote } from '../parts/FaultNote';
import { Meter } from '../parts/Meter';
import { useActions, useStudio, useStudioNow } from '../studio';
import { ids } from '../testIds';

/** Mean absolute pixel difference (pixels in −1…1) at which the drift bar is full: twins that share little but their colours. */
const FULL_DRIFT = 0.5;

export function WhatChanged() {
  const actions = useActions();
  const changed = useStudio((state) => state.changed);
  const measures = useStudio((state) => state.measures);
  const measuring = useStudio((state) => state.measuring);
  const fault = useStudio((state) => state.measureFault);
  const sheet = useStudio((state) => state.sheet);
  const now = useStudioNow();
  const hasRun = useStudio((state) => state.run !== null);
  const moving = useStudio((state) => isMoving(state.run));
  const drift = measures ? (measures.driftBase + measures.driftUnrelated) / 2 : (changed?.drift ?? null);
  const saveReport = () => {
    const report = runReport(now());
    if (report) saveFile(new Blob([JSON.stringify(report, null, 1)], { type: 'application/json' }), 'run.json');
  };
  return (
    <div className="changed-block">
      <div className="row section">
        <h2>What changed</h2>
        {measuring
          ? <span className="note">{measuring.total > 0 ? `picture ${measuring.done} of ${measuring.total}` : 'beginning'}</span>
          : <button type="button" className="link" data-testid={ids.measure} disabled={moving} title={moving ? 'Pause first' : 'Draws twins on 8 Base and 8 unrelated prompts'} onClick={() => void actions.measure()}>{measures ? 'Measure again' : 'Measure'}</button>}
      </div>
      <Meter label="Likeness to your pictures" term="CLIP-I, cosine to the set" value={measures?.likeness ?? changed?.likeness ?? null} full={1} tone="concept" testId={ids.likeness} />
      <Meter label="Drift of everything else" term="mean pixel difference of twins" value={drift} full={FULL_DRIFT} tone="base" testId={ids.drift} />
      <p className="note">
        {measures
          ? `Nearer to your pictures than the base’s twin in ${measures.nearer} of ${measures.prompts.length} prompts. The base’s own likeness is ${measures.likenessBase.toFixed(2)}.`
          : changed ? `From the preview twins at step ${changed.step}. Measure takes 8 prompts of each kind.` : hasRun ? 'Comes with the first preview. Measure takes 8 prompts of each kind.' : 'Not measured yet. Measure takes 8 prompts of each kind.'}
      </p>
      {sheet && (
        <p className="note">
          <button type="button" className="link" data-testid={ids.saveSheet} onClick={() => saveFile(sheet, 'lamina-twins.png')}>Save the twin sheet</button>
          {hasRun && <> · <button type="button" className="link" data-testid={ids.saveReport} onClick={saveReport}>Save the figures</button></>}
        </p>
      )}
      <FaultNote fault={fault} />
    </div>
  );
}
