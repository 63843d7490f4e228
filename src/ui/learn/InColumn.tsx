/** What goes in: pictures, what they show, captions of the selected one, and the way to begin. */
import { picturesProblem } from '../../state/pictures';
import { isMoving, isOpen } from '../../state/run';
import { sampleSets } from '../../state/samples';
import { FaultNote } from '../parts/FaultNote';
import { plural } from '../format';
import { useActions, useStudio } from '../studio';
import { ids, sampleId } from '../testIds';
import { DropZone } from './DropZone';
import { PictureGrid } from './PictureGrid';
import { SampleList } from './SampleList';
import { ThisPicture } from './ThisPicture';
import { WhatIsIt } from './WhatIsIt';

export function InColumn() {
  const actions = useActions();
  const cards = useStudio((state) => state.cards);
  const name = useStudio((state) => state.conceptName);
  const run = useStudio((state) => state.run);
  const opened = useStudio((state) => state.opened);
  const inputFault = useStudio((state) => state.inputFault);
  const empty = cards.length === 0;

  return (
    <section className="column in" aria-label="What goes in">
      <div className="column-scroll">
        {empty && !opened ? (
          <>
            <h2>New concept</h2>
            <DropZone />
            <FaultNote fault={inputFault} />
            <SampleList />
          </>
        ) : (
          <>
            <div className="row title-row">
              <input className="name" aria-label="Name of the concept" data-testid={ids.conceptName} value={name} placeholder="Name this concept" maxLength={60} spellCheck={false}
                readOnly={opened !== null} onChange={(event) => actions.setConceptName(event.target.value)} />
              {!empty && <span className="note">{plural(cards.length, 'picture')}</span>}
            </div>
            {opened ? <OpenedNote /> : (
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
      {(!empty || opened) && (
        <footer className="column-foot">
          {run === null && !opened ? <LearnButton /> : !isOpen(run) && <button type="button" className="button wide" data-testid={ids.newConcept} onClick={actions.newConcept}>New concept</button>}
          {!isMoving(run) && (
            <p className="note samples-line">Try a sample: {sampleSets.filter((sample) => sample.title !== name).map(({ set, short }, n) => (
              <span key={set}>{n > 0 && ' · '}<button type="button" className="link concept" data-testid={sampleId(set)} disabled={isOpen(run)} onClick={() => { actions.newConcept(); void actions.loadSample(set); }}>{short}</button></span>
            ))}</p>
          )}
        </footer>
      )}
    </section>
  );
}

function OpenedNote() {
  return <p className="muted">This concept is on the Shelf. Write a prompt with [V] where it should stand, or move the balance.</p>;
}

function LearnButton() {
  const actions = useActions();
  const pictures = useStudio((state) => picturesProblem(state));
  const ready = useStudio((state) => state.ready !== null);
  const busy = useStudio((state) => state.runBusy);
  const runFault = useStudio((state) => state.runFault);
  const refused = useStudio((state) => Object.values(state.recipeProblems)[0] ?? null);
  const problem = pictures ?? refused ?? (ready ? null : 'The base is still on its way.');
  return (
    <>
      <FaultNote fault={runFault} />
      <button type="button" className="button primary wide" data-testid={ids.learn} disabled={problem !== null || busy} aria-describedby="learn-problem" onClick={() => void actions.learn()}>Learn</button>
      <p className="note" id="learn-problem">{problem ?? 'Starts learning on this device.'}</p>
    </>
  );
}
