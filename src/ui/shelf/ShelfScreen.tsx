/** The Shelf: every concept kept on this device, and the way in for files made elsewhere. */
import { useRef } from 'react';
import { FaultNote } from '../parts/FaultNote';
import { plural } from '../format';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { ConceptCard } from './ConceptCard';
import { ObjectCard } from './ObjectCard';

export function ShelfScreen() {
  const actions = useActions();
  const concepts = useStudio((state) => state.concepts);
  const cards = useStudio((state) => state.objectCards);
  const objects = useStudio((state) => state.ready?.objects ?? false);
  const fault = useStudio((state) => state.shelfFault);
  const picker = useRef<HTMLInputElement>(null);
  return (
    <section className="shelf" data-testid={ids.shelf} aria-label="Shelf">
      <div className="row shelf-head">
        <div><h1>Shelf</h1><p className="note">{concepts.length + cards.length === 0 ? 'Nothing kept yet.' : `${[concepts.length > 0 && plural(concepts.length, 'concept'), cards.length > 0 && plural(cards.length, 'card')].filter(Boolean).join(' and ')} on this device`}</p></div>
        <input ref={picker} type="file" multiple hidden accept=".safetensors,.pt,.bin,.json,.png,image/*" data-testid={ids.importInput} aria-label="Files to import"
          onChange={(event) => { void actions.importFiles([...(event.target.files ?? [])].map((file) => ({ file, name: file.name }))); event.target.value = ''; }} />
        <button type="button" className="button" onClick={() => picker.current?.click()}>Import</button>
      </div>
      <p className="muted shelf-hint">Drop a LoRA file{objects ? ', a card' : ''} or a picture drawn here anywhere on the page, and what it describes is restored.</p>
      {fault?.conceptId === null && <FaultNote fault={fault.fault} />}
      {concepts.length + cards.length === 0
        ? <div className="shelf-empty"><p className="muted">Learn a concept and keep it; it will stand here with its recipe, figures and picture.</p><button type="button" className="button" onClick={() => actions.setTab('learn')}>Learn a concept</button></div>
        : <ul className="concepts">{concepts.map((concept, n) => <ConceptCard key={concept.conceptId} concept={concept} n={n} />)}{cards.map((card, n) => <ObjectCard key={card.cardId} card={card} n={n} />)}</ul>}
    </section>
  );
}
