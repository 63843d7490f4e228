/** The captions of a picture. Base and Target follow from Complete and lie folded under it; what stands in Complete and not in Base is what will be learned. */
import { captionProblem, type Captions } from '../../protocol/captions';
import { wordsOf } from '../../protocol/recipe';
import type { Card } from '../../state/pictures';
import { difference, pieces } from '../../state/words';
import { MarkedField } from '../parts/MarkedField';
import { useUnknownWords } from '../parts/UnknownWords';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

const words = (text: string, at: ReadonlySet<number>): string => pieces(text).filter((piece) => at.has(piece.start)).map((piece) => piece.text).join(' ');

export function CaptionFields({ card, locked }: { card: Card; locked: boolean }) {
  const { complete, base, target } = card.captions;
  const only = { complete: difference(complete, base), base: difference(base, complete), target: new Set<number>() };
  const [learned, lost] = [words(complete, only.complete), words(base, only.base)];
  const problem = captionProblem(card.captions);
  const unknown = useUnknownWords(`${complete} ${base}`);
  return (
    <>
      <Caption card={card} which="complete" label="Complete" testId={ids.captionComplete} only={only.complete} locked={locked} />
      <details className="fold" data-testid={ids.captionsFold}>
        <summary title={`Base: ${base} · Target: ${target}`}><span>Base and Target</span><span className="note one-line">{base} · {target}</span></summary>
        <Caption card={card} which="base" label="Base" testId={ids.captionBase} only={only.base} locked={locked} />
        <Caption card={card} which="target" label="Target" testId={ids.captionTarget} only={only.target} locked={locked} />
      </details>
      <div className="caption-note" id="caption-difference">
        {problem ? <p className="warning" role="alert">{problem}</p>
          : unknown ? <p className="warning">{unknown}</p>
          : <p className="note">{lost !== '' && <>Only in Base: <b className="base">{lost}</b>. </>}Learned: <b className="concept">{learned}</b>. Say everything else you see, and it is left alone.</p>}
      </div>
    </>
  );
}

function Caption({ card, which, label, testId, only, locked }: { card: Card; which: keyof Captions; label: string; testId: string; only: ReadonlySet<number>; locked: boolean }) {
  const actions = useActions();
  const known = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const classWord = useStudio((state) => (state.recipe.kind === 'style' ? '' : wordsOf(state.recipe).classWord.trim()));
  return (
    <MarkedField label={label} testId={testId} value={card.captions[which]} onChange={(text) => actions.setCaption(card.pictureId, which, text)}
      words={known} vocabulary={vocabulary} classWord={classWord} only={only} readOnly={locked} describedBy="caption-difference" />
  );
}
