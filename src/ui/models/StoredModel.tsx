/** A model on this device: where it came from, its parts, and what can be done with it. */
import { useState } from 'react';
import { precisionOf, type ModelSummary } from '../../protocol/models';
import { day, megabytes } from '../format';
import { ConfirmDialog } from '../parts/ConfirmDialog';
import { FaultNote } from '../parts/FaultNote';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { PartsTable } from './PartsTable';
import { PictureSideChoice } from './PictureSideChoice';
import { fromWords, modelRows } from './shown';
import { LARGE_BYTES, WeightRoomChoice } from './WeightRoomChoice';
import { WhatFits } from './WhatFits';

export function StoredModel({ model }: { model: ModelSummary }) {
  const actions = useActions();
  const { modelId, name, kind, installed } = model;
  const used = useStudio((state) => state.ready?.base === modelId);
  const working = useStudio((state) => state.modelWork?.kind ?? null);
  const checking = useStudio((state) => state.modelWork?.kind === 'checking' && state.modelWork.modelId === modelId);
  const checked = useStudio((state) => (state.modelChecked?.modelId === modelId ? state.modelChecked : null));
  const fault = useStudio((state) => (state.modelFault?.modelId === modelId ? state.modelFault.fault : null));
  const [deleting, setDeleting] = useState(false);
  const free = working === null || working === 'surveying';
  return (
    <div className="model-inner">
      <header>
        <h2 className="model-title" data-testid={ids.modelName}>{name}</h2>
        <p className="note">{kind === 'embedded' ? 'comes with the app · a small model of its own, for first steps on any device' : `from ${fromWords(model.from.split(', '))} · ${day(model.createdAt)}`}</p>
      </header>
      <PartsTable rows={modelRows(model, checking, checked?.damaged ?? null)} />
      {installed && <PictureSideChoice model={model} />}
      {model.precision && <WhatFits transformer={installed ? model.parts.find(({ folder }) => folder === 'transformer')?.storedBytes ?? 0 : 0} precision={precisionOf({ precision: model.precision, own: model.own }, 'transformer')} />}
      {installed && model.storedBytes > LARGE_BYTES && <WeightRoomChoice />}
      {!installed && !checked && <Unfinished model={model} />}
      {checked && (checked.damaged.length === 0
        ? <p className="statement good" role="status" data-testid={ids.modelChecked}>Checked: every piece is as it was written.</p>
        : <p className="statement" role="status" data-testid={ids.modelChecked}>Damaged: {checked.damaged.map(({ label, tensors }) => `${label} (${tensors})`).join(', ')}. Import the same files again: only what is damaged is written.</p>)}
      <footer className="model-foot">
        <FaultNote fault={fault} />
        {kind === 'imported' && (
          <div className="buttons">
            {checking
              ? <button type="button" className="button" data-testid={ids.modelStop} onClick={actions.stopModelWork}>Stop checking</button>
              : installed && <button type="button" className="button" data-testid={ids.modelCheck} disabled={!free} onClick={() => void actions.checkModel(modelId)}>Check again</button>}
            {!used && <button type="button" className="button" data-testid={ids.modelDelete} disabled={!free} onClick={() => setDeleting(true)}>Delete</button>}
          </div>
        )}
        {installed && !used && <button type="button" className="button primary" data-testid={ids.modelUse} disabled={!free} onClick={() => actions.useModel(modelId)}>Use this model</button>}
        {used && <p className="note">In use{kind === 'imported' ? ': to delete it, use another model first.' : '.'}</p>}
        {!installed && model.address && <button type="button" className="button primary" data-testid={ids.modelContinue} disabled={!free} onClick={() => void actions.continueImport(modelId)}>Continue</button>}
      </footer>
      {deleting && <ConfirmDialog question={`Delete “${name}”?`} consequence={`Its ${megabytes(model.storedBytes)} are removed from this device. Your own files stay, and so do concepts that were learned on it; they wait until it is imported again.`} deed="Delete" testId={ids.confirmDelete} onConfirm={() => void actions.deleteModel(modelId)} onClose={() => setDeleting(false)} />}
    </div>
  );
}

function Unfinished({ model: { share, address } }: { model: ModelSummary }) {
  const far = `${Math.floor(100 * share)} %`;
  return <p className="statement">{address ? `Not complete. Continue, and it goes on at ${far}; where the server wants a token, add the address once more with it.` : `Not complete. Drop the same files again: it goes on at ${far}.`}</p>;
}
