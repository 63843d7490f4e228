/** On the way to learning: what the pictures give already, without any. */
import { megabytes, plural } from '../../format';
import { useActions, useStudio } from '../../studio';
import { ids } from '../../testIds';

export function ObjectNote() {
  const actions = useActions();
  const object = useStudio((state) => state.object);
  const card = useStudio((state) => state.card);
  const one = useStudio((state) => state.learningProperly && state.cards.length <= 1);
  if (!object) return null;
  return (
    <div className="object-note">
      <div className="row"><h2>From {object.references === 1 ? 'one picture' : `${object.references} pictures`}</h2><span className="note" data-testid={ids.objectSize}>{plural(object.tokens, 'token')} · {megabytes(object.sizeBytes)}</span></div>
      <p className="muted">This is drawn by them without training. What is learned takes its place.</p>
      <div className="buttons">
        {one && <button type="button" className="button" data-testid={ids.backToOne} onClick={() => actions.learnProperly(false)}>Back to the picture</button>}
        {card && object.cardId !== null
          ? <button type="button" className="button" data-testid={ids.keepCard} onClick={() => actions.setTab('shelf')}>Kept · show it</button>
          : <button type="button" className="button" data-testid={ids.keepCard} onClick={() => void actions.keepObject()}>Keep as a card</button>}
      </div>
    </div>
  );
}
