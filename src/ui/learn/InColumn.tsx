/** What goes in: pictures, what they show, captions of the selected one, and the way to begin. */
import { isOpen } from '../../state/run';
import { FaultNote } from '../parts/FaultNote';
import { plural } from '../format';
import { useNarrow } from '../narrow';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { DropZone } from './DropZone';
import { LearnButton } from './LearnButton';
import { PictureGrid } from './PictureGrid';
import { SampleList } from './SampleList';
import { ThisPicture } from './ThisPicture';
import { UndoButton } from './UndoButton';
import { WhatIsIt } from './WhatIsIt';

export function InColumn() {
  const actions = useActions();
  const cards = useStudio((state) => state.cards);
  const name = useStudio((state) => state.conceptName);
  const run = useStudio((state) => state.run);
  const opened = useStudio((state) => state.opened);
  const inputFault = useStudio((state) => state.inputFault);
  const narrow = useNarrow();
  const empty = cards.length === 0;
  const before = run === null && !opened;
  const elsewhere = useStudio((state) => state.elsewhere !== null);
  const over = useStudio((state) => state.dataSetLevel > 0);
  const ended = !before && (!isOpen(run) || elsewhere);

  return (
    <section className="column in" aria-label="What goes in">
      <div className="column-scroll">
        {empty && !opened ? (
          <>
            <div className="row"><h2>New concept</h2><UndoButton /></div>
            <DropZone />
            <FaultNote fault={inputFault} />
            <SampleList />
          </>
        ) : (
          <>
            <div className="row title-row">
              <input className="name" aria-label="Name of the concept" data-testid={ids.conceptName} value={name} placeholder="Name this concept" maxLength={60} spellCheck={false}
                readOnly={opened !== null} onChange={(event) => actions.setConceptName(event.target.value)} />
              {before && <UndoButton />}
              {!empty && <span className="note">{plural(cards.length, 'picture')}</span>}
              {before && <button type="button" className="link" data-testid={ids.newConcept} title={over ? 'Puts these pictures away and takes up what was there before' : 'Puts these pictures away and begins anew'} onClick={over ? actions.newConcept : actions.startOver}>Start over</button>}
            </div>
            {opened ? <p className="muted">This {opened.kind === 'world' ? 'world' : 'concept'} is on the Shelf. {opened.kind === 'world' ? 'Write any prompt, or move the balance.' : 'Write a prompt with [V] where it should stand, or move the balance.'}</p> : (
              <>
                <PictureGrid locked={run !== null} />
                <FaultNote fault={inputFault} />
                <WhatIsIt locked={run !== null} />
                <ThisPicture locked={run !== null} />
              </>
            )}
          </>
        )}
      </div>
      {((before && !empty && !narrow) || ended) && (
        <footer className="column-foot">
          {before ? <LearnButton /> : <button type="button" className="button wide" data-testid={ids.newConcept} onClick={actions.newConcept}>New concept</button>}
        </footer>
      )}
    </section>
  );
}
