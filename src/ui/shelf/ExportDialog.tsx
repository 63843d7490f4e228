/** Export of a concept's LoRA and of its learned word. Of the LoRA: options, whether the file says everything to other tools, its header as it will be written, and saving it. */
import { useEffect, useState } from 'react';
import { Switch } from 'radix-ui';
import type { ConceptSummary, ExportOptions } from '../../protocol/concepts';
import type { ResultOf } from '../../protocol/messages';
import { readHeader } from '../../formats/safetensorsMetadata';
import { Dialog } from '../parts/Dialog';
import { FaultNote } from '../parts/FaultNote';
import { megabytes } from '../format';
import { saveFile } from '../download';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

export function ExportDialog({ concept, onClose }: { concept: ConceptSummary; onClose(): void }) {
  const fault = useStudio((state) => (state.shelfFault?.conceptId === concept.conceptId ? state.shelfFault.fault : null));
  return (
    <Dialog open onClose={onClose} title={`Export “${concept.name}”`} testId={ids.exportDialog}>
      {concept.wordTokens !== null && <WordExport concept={concept} primary={!concept.lora} />}
      {concept.lora ? <LoraExport concept={concept} onClose={onClose} /> : <><FaultNote fault={fault} /><div className="actions"><button type="button" className="button" onClick={onClose}>Close</button></div></>}
    </Dialog>
  );
}

/** What the text encoders read at [V], in a file that other tools take beside the LoRA. */
function WordExport({ concept: { conceptId, wordTokens, base }, primary }: { concept: ConceptSummary; primary: boolean }) {
  const { exportWord } = useActions();
  const save = async () => {
    const made = await exportWord(conceptId);
    if (made) saveFile(made.file, made.fileName);
  };
  return (
    <div className="recipe-field">
      <div className="row"><span>Learned word, {wordTokens === 1 ? 'one token' : `${wordTokens} tokens`}</span><button type="button" className={primary ? 'button primary' : 'button'} data-testid={ids.exportWord} onClick={() => void save()}>Save the word</button></div>
      <p className="note">{base === 'embedded' ? 'Only Lamina reads it: it fits the embedded base.' : 'ComfyUI takes it in its folder “embeddings”; in diffusers its rows become a token of each CLIP encoder.'}</p>
    </div>
  );
}

function LoraExport({ concept, onClose }: { concept: ConceptSummary; onClose(): void }) {
  const exportConcept = useStudio((state) => state.exportConcept);
  const fault = useStudio((state) => (state.shelfFault?.conceptId === concept.conceptId ? state.shelfFault.fault : null));
  const [options, setOptions] = useState<ExportOptions>({ includeRows: true, includeCaptions: false, includeThumbnail: concept.preview !== null, keys: 'diffusers', author: '' });
  const set = (change: Partial<ExportOptions>) => setOptions((before) => ({ ...before, ...change }));
  const [made, setMade] = useState<ResultOf<'exportConcept'> | null>(null);
  const [header, setHeader] = useState<Record<string, string>>({});
  useEffect(() => {
    let current = true;
    setMade(null);
    void exportConcept(concept.conceptId, options).then(async (result) => {
      if (!result) return;
      const found = await readHeader(result.file);
      if (current) { setMade(result); setHeader(found); }
    });
    return () => { current = false; };
  }, [exportConcept, concept.conceptId, options]);
  return (
    <>
      {concept.kind !== 'world' && <><Option id={ids.exportRows} label="Concept rows" why="Lamina reads them back; other tools leave them out." checked={options.includeRows} onChange={(includeRows) => set({ includeRows })} />
      <Option id={ids.exportCaptions} label="Captions and picture count in the header" why="Off, the file says nothing about your pictures." checked={options.includeCaptions} onChange={(includeCaptions) => set({ includeCaptions })} /></>}
      {concept.preview && <Option id={ids.exportThumbnail} label="Thumbnail in the header" why="The card’s picture, for model lists of other tools." checked={options.includeThumbnail} onChange={(includeThumbnail) => set({ includeThumbnail })} />}
      <Option id={ids.exportKohya} label="Names of kohya’s scripts" why="For tools that read single-file checkpoints. Off: diffusers’ names, which most tools read." checked={options.keys === 'kohya'} onChange={(on) => set({ keys: on ? 'kohya' : 'diffusers' })} />
      <div className="recipe-field">
        <div className="row"><label htmlFor="export-author">Author</label><input id="export-author" className="text" data-testid={ids.exportAuthor} value={options.author} maxLength={80} placeholder="not said" spellCheck={false} onChange={(event) => set({ author: event.target.value })} /></div>
      </div>
      <FaultNote fault={fault} />
      <p className={made?.tellsAll ? 'statement good' : 'statement'} data-testid={ids.exportStates} role="status">{made === null ? 'Writing the file.' : concept.kind === 'world' ? WORLD : statement(made.tellsAll)}</p>
      {made && concept.kind !== 'world' && <p className="row"><span>Likeness in other tools</span><span className={made.likeness?.elsewhere == null ? 'muted' : 'figure concept'} data-testid={ids.likenessElsewhere}>{made.likeness?.elsewhere == null ? 'not measured' : `${made.likeness.elsewhere.toFixed(2)}, here ${made.likeness.here.toFixed(2)}`}</span></p>}
      {concept.base === 'embedded' && <p className="note">It fits only the embedded base.</p>}
      <details className="header-view">
        <summary>What the header says</summary>
        <dl>{Object.entries(header).map(([key, value]) => <div key={key}><dt>{key}</dt><dd>{value}</dd></div>)}</dl>
      </details>
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>Close</button>
        <button type="button" className="button primary" data-testid={ids.exportSave} disabled={made === null} onClick={() => { if (made) saveFile(made.file, made.fileName); }}>Save{made ? ` · ${megabytes(made.file.size)}` : ''}</button>
      </div>
    </>
  );
}

const WORLD = 'Other tools put this LoRA on every prompt. Here it acts at the empty prompt alone, beside a base that it does not touch.';
/** Other tools send the empty prompt of guidance through the LoRA as well; here it stays with the untouched base. */
const statement = (tellsAll: boolean) => (tellsAll
  ? 'This file says everything. With guidance other tools still draw a little differently: they send the empty prompt through the LoRA too.'
  : 'Other tools do not apply the concept rows, and send the empty prompt through the LoRA too: likeness will be lower there.');

function Option({ id, label, why, checked, onChange }: { id: string; label: string; why: string; checked: boolean; onChange(next: boolean): void }) {
  return (
    <div className="recipe-field">
      <div className="row"><label htmlFor={`option-${id}`}>{label}</label><Switch.Root id={`option-${id}`} className="switch" data-testid={id} checked={checked} onCheckedChange={onChange}><Switch.Thumb className="switch-thumb" /></Switch.Root></div>
      <p className="note">{why}</p>
    </div>
  );
}
