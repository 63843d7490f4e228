/** One kept card: what was seen in somebody's pictures, as tokens. It is opened, renamed, saved as a small file, deleted. */
import { useState } from 'react';
import type { CardSummary } from '../../protocol/objects';
import { saveFile } from '../download';
import { day, megabytes, plural } from '../format';
import { useModelName } from '../models/useModelName';
import { ConfirmDialog } from '../parts/ConfirmDialog';
import { FaultNote } from '../parts/FaultNote';
import { usePreview } from '../parts/usePreview';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { NameField } from './NameField';

export function ObjectCard({ card, n }: { card: CardSummary; n: number }) {
  const actions = useActions();
  const fault = useStudio((state) => (state.shelfFault?.conceptId === card.cardId ? state.shelfFault.fault : null));
  const own = useStudio((state) => state.usedBase.id === card.base);
  const base = useModelName(card.base);
  const preview = usePreview(card.preview);
  const [deleting, setDeleting] = useState(false);
  const save = async () => {
    const made = await actions.exportCard(card.cardId);
    if (made) saveFile(made.file, made.fileName);
  };
  return (
    <li className="concept-card" data-testid={`card-kept-${n}`}>
      <div className="frame">{preview ? <img className="picture" src={preview} alt={`${card.name}, drawn without training`} /> : <p className="frame-empty">No picture in this file</p>}</div>
      <NameField name={card.name} testId={`card-rename-${n}`} onRename={(name) => void actions.renameCard(card.cardId, name)} />
      <p className="note">from {card.kind === 'identity' ? (card.references === 1 ? 'one face' : `${card.references} faces`) : card.references === 1 ? 'one picture' : plural(card.references, 'picture')}{card.classWord === '' ? '' : `, “${card.classWord}”`} · {card.imported ? 'imported ' : ''}{day(card.createdAt)} · {megabytes(card.sizeBytes)}</p>
      {card.kind === 'object' && card.references === 1 && <p><span className="chip">single reference</span></p>}
      {!own && <p className="note">Made with {base}, and drawn by that alone.</p>}
      <FaultNote fault={fault} />
      <div className="buttons">
        {own && <button type="button" className="button" data-testid={`card-open-${n}`} onClick={() => void actions.openCard(card.cardId)}>Open</button>}
        <button type="button" className="button" data-testid={`card-export-${n}`} title="Tokens and words; no picture" onClick={() => void save()}>Export</button>
        <button type="button" className="button quiet" data-testid={`card-delete-${n}`} onClick={() => setDeleting(true)}>Delete</button>
      </div>
      {deleting && <ConfirmDialog question={`Delete “${card.name}”?`} consequence="Its tokens and pictures are removed from this device. Exported files stay." deed="Delete" testId={ids.confirmDelete} onConfirm={() => void actions.deleteCard(card.cardId)} onClose={() => setDeleting(false)} />}
    </li>
  );
}
