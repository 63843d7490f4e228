/** Export: options, whether the file says everything to other tools, its header as it will be written, and saving it. */
import { useEffect, useState } from 'react';
import { Switch } from 'radix-ui';
import type { ConceptSummary } from '../../protocol/concepts';
import type { ResultOf } from '../../protocol/messages';
import { readHeader } from '../../formats/safetensorsMetadata';
import { Dialog } from '../parts/Dialog';
import { FaultNote } from '../parts/FaultNote';
import { megabytes } from '../format';
import { saveFile } from '../download';
import { useStudio } from '../studio';
import { ids } from '../testIds';

export function ExportDialog({ concept, onClose }: { concept: ConceptSummary; onClose(): void }) {
  const exportConcept = useStudio((state) => state.exportConcept);
  const fault = useStudio((state) => (state.shelfFault?.conceptId === concept.conceptId ? state.shelfFault.fault : null));
  const [includeRows, setRows] = useState(true);
  const [includeCaptions, setCaptions] = useState(false);
  const [made, setMade] = useState<ResultOf<'exportConcept'> | null>(null);
  const [header, setHeader] = useState<Record<string, string>>({});
  useEffect(() => {
    let current = true;
    setMade(null);
    void exportConcept(concept.conceptId, { includeRows, includeCaptions }).then(async (result) => {
      if (!result) return;
      const found = await readHeader(result.file);
      if (current) { setMade(result); setHeader(found); }
    });
    return () => { current = false; };
  }, [exportConcept, concept.conceptId, includeRows, includeCaptions]);
  return (
    <Dialog open onClose={onClose} title={`Export “${concept.name}”`} testId={ids.exportDialog}>
      <Option id={ids.exportRows} label="Concept rows" why="Lamina reads them back; other tools leave them out." checked={includeRows} onChange={setRows} />
      <Option id={ids.exportCaptions} label="Captions and picture count in the header" why="Off, the file says nothing about your pictures." checked={includeCaptions} onChange={setCaptions} />
      <FaultNote fault={fault} />
      <p className={made?.tellsAll ? 'statement good' : 'statement'} data-testid={ids.exportStates} role="status">
        {made === null ? 'Writing the file.' : made.tellsAll ? 'This file says everything: other tools will draw what you see here.' : 'Other tools do not apply the concept rows; likeness will be lower there.'}
      </p>
      {made && !made.tellsAll && (
        <p className="row"><span>Likeness without rows</span><span className={made.likenessWithoutRows === null ? 'muted' : 'figure concept'} data-testid={ids.likenessWithoutRows}>{made.likenessWithoutRows === null ? 'not measured' : made.likenessWithoutRows.toFixed(2)}</span></p>
      )}
      {concept.base === 'embedded' && <p className="note">It fits only the embedded base.</p>}
      <details className="header-view">
        <summary>What the header says</summary>
        <dl>{Object.entries(header).map(([key, value]) => <div key={key}><dt>{key}</dt><dd>{value}</dd></div>)}</dl>
      </details>
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>Close</button>
        <button type="button" className="button primary" data-testid={ids.exportSave} disabled={made === null} onClick={() => { if (made) saveFile(made.file, made.fileName); }}>Save{made ? ` · ${megabytes(made.file.size)}` : ''}</button>
      </div>
    </Dialog>
  );
}

function Option({ id, label, why, checked, onChange }: { id: string; label: string; why: string; checked: boolean; onChange(next: boolean): void }) {
  return (
    <div className="recipe-field">
      <div className="row"><label htmlFor={`option-${id}`}>{label}</label><Switch.Root id={`option-${id}`} className="switch" data-testid={id} checked={checked} onCheckedChange={onChange}><Switch.Thumb className="switch-thumb" /></Switch.Root></div>
      <p className="note">{why}</p>
    </div>
  );
}
