/** One kept concept: picture, name, kind, date, size, likeness and drift, and what can be done with it. */
import { useState } from 'react';
import type { ConceptSummary } from '../../protocol/concepts';
import { day, kindText, megabytes } from '../format';
import { useModelName } from '../models/useModelName';
import { FaultNote } from '../parts/FaultNote';
import { usePreview } from '../parts/usePreview';
import { useActions, useStudio } from '../studio';
import { DeleteDialog } from './DeleteDialog';
import { ExportDialog } from './ExportDialog';
import { NameField } from './NameField';

export function ConceptCard({ concept, n }: { concept: ConceptSummary; n: number }) {
  const actions = useActions();
  const fault = useStudio((state) => (state.shelfFault?.conceptId === concept.conceptId ? state.shelfFault.fault : null));
  const own = useStudio((state) => state.usedBase.id === concept.base);
  const here = useStudio((state) => state.models.some(({ modelId, installed }) => installed && modelId === concept.base));
  const base = useModelName(concept.base);
  const preview = usePreview(concept.preview);
  const [dialog, setDialog] = useState<'none' | 'delete' | 'export'>('none');
  const drift = concept.measures ? (concept.measures.driftBase + concept.measures.driftUnrelated) / 2 : null;
  return (
    <li className="concept-card" data-testid={`concept-${n}`}>
      <div className="frame">{preview ? <img className="picture" src={preview} alt={`${concept.name}, drawn by its own LoRA`} /> : <p className="frame-empty">No picture in this file</p>}</div>
      <NameField name={concept.name} testId={`concept-rename-${n}`} onRename={(name) => void actions.renameConcept(concept.conceptId, name)} />
      <p className="note">{kindText(concept)} · {concept.imported ? 'imported ' : ''}{day(concept.createdAt)} · {megabytes(concept.sizeBytes)}</p>
      <dl className="facts">
        <dt>Likeness</dt><dd className={concept.measures ? 'concept' : 'muted'}>{concept.measures ? concept.measures.likeness.toFixed(2) : 'not measured'}</dd>
        <dt>Drift</dt><dd className={drift === null ? 'muted' : 'base'}>{drift === null ? 'not measured' : drift.toFixed(2)}</dd>
      </dl>
      {!own && <p className="note">Learned on {base}, and acts on that alone.{!here && ' That model is not on this device: import it on the Models page.'}</p>}
      <FaultNote fault={fault} />
      <div className="buttons">
        {own
          ? <button type="button" className="button" data-testid={`concept-open-${n}`} onClick={() => void actions.openConcept(concept.conceptId)}>Open</button>
          : here && <button type="button" className="button" data-testid={`concept-model-${n}`} title={`Begins the page anew with ${base}`} onClick={() => actions.useModel(concept.base)}>Use its model</button>}
        <button type="button" className="button" data-testid={`concept-export-${n}`} onClick={() => setDialog('export')}>Export</button>
        <button type="button" className="button quiet" data-testid={`concept-delete-${n}`} onClick={() => setDialog('delete')}>Delete</button>
      </div>
      {dialog === 'delete' && <DeleteDialog concept={concept} onClose={() => setDialog('none')} />}
      {dialog === 'export' && <ExportDialog concept={concept} onClose={() => setDialog('none')} />}
    </li>
  );
}
