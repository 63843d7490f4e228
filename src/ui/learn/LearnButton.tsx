/** The way to begin: what stands in the way, what lies outside the base's world, and about how long it takes on this device. What may be long stands above the button, which stays where it is. */
import { TriangleAlert } from 'lucide-react';
import { learnSeconds } from '../../state/pace';
import { picturesProblem } from '../../state/pictures';
import { roughly } from '../format';
import { FaultNote } from '../parts/FaultNote';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { usePrimary } from './primary';

export function LearnButton() {
  const actions = useActions();
  const pictures = useStudio((state) => picturesProblem(state));
  const ready = useStudio((state) => state.ready !== null);
  const busy = useStudio((state) => state.runBusy);
  const fault = useStudio((state) => state.runFault);
  const refused = useStudio((state) => Object.values(state.recipeProblems)[0] ?? null);
  const seconds = useStudio(learnSeconds);
  const primary = usePrimary('learn');
  const problem = pictures ?? refused ?? (ready ? null : 'The base is still on its way.');
  return (
    <>
      <OutsideWarning />
      <FaultNote fault={fault} />
      <button type="button" className={`button wide ${primary}`} data-testid={ids.learn} disabled={problem !== null || busy} aria-describedby="learn-problem" onClick={() => void actions.learn()}>
        {busy ? 'Starting' : 'Learn'}{!busy && seconds !== null && <span className="about">about {roughly(seconds)} on this device</span>}
      </button>
      <p className="note one-line" id="learn-problem">{problem ?? 'Nothing leaves this device.'}</p>
    </>
  );
}

function OutsideWarning() {
  const outside = useStudio((state) => state.cards.filter((card) => card.fit?.outside).length);
  const total = useStudio((state) => state.cards.filter((card) => card.state === 'ready').length);
  if (outside === 0) return null;
  return (
    <p className="warning with-icon" data-testid={ids.outsideWarning}>
      <TriangleAlert className="icon" aria-hidden />
      <span>{outside === total ? 'These pictures lie' : `${outside} of ${total} pictures ${outside === 1 ? 'lies' : 'lie'}`} outside the base’s small world of simple drawings. It learns what it sees of them, which may be little.</span>
    </p>
  );
}
