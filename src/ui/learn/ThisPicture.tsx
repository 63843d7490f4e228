/** Captions, crop and fit check of the selected picture. What stands in Complete and not in Base is what will be learned. */
import { useState } from 'react';
import { captionProblem, type Captions } from '../../protocol/captions';
import type { Card } from '../../state/pictures';
import { difference, pieces } from '../../state/words';
import { MarkedField } from '../parts/MarkedField';
import { UnknownWords } from '../parts/UnknownWords';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { CropDialog } from './CropDialog';
import { FitNote } from './FitNote';

const fields: { which: keyof Captions; label: string; testId: string }[] = [
  { which: 'complete', label: 'Complete', testId: ids.captionComplete },
  { which: 'base', label: 'Base', testId: ids.captionBase },
  { which: 'target', label: 'Target', testId: ids.captionTarget },
];

export function ThisPicture({ locked }: { locked: boolean }) {
  const cards = useStudio((state) => state.cards);
  const selectedId = useStudio((state) => state.selectedId);
  const [cropping, setCropping] = useState(false);
  const at = cards.findIndex((card) => card.pictureId === selectedId);
  const card = cards[at];
  if (!card || card.state !== 'ready') return null;
  return (
    <>
      <div className="row section">
        <h2>This picture</h2>
        <span className="note">{at + 1} of {cards.length}</span>
      </div>
      <CaptionFields card={card} locked={locked} />
      <FitNote card={card}>
        {!locked && <button type="button" className="button small" data-testid={`crop-${at}`} onClick={() => setCropping(true)}>Crop</button>}
      </FitNote>
      {cropping && <CropDialog card={card} onClose={() => setCropping(false)} />}
    </>
  );
}

function CaptionFields({ card, locked }: { card: Card; locked: boolean }) {
  const actions = useActions();
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const classWord = useStudio((state) => (state.recipe.kind === 'style' ? '' : state.recipe.classWord.trim()));
  const { complete, base } = card.captions;
  const only = { complete: difference(complete, base), base: difference(base, complete), target: new Set<number>() };
  const learned = pieces(complete).filter((piece) => only.complete.has(piece.start)).map((piece) => piece.text).join(' ');
  const lost = pieces(base).filter((piece) => only.base.has(piece.start)).map((piece) => piece.text).join(' ');
  const problem = captionProblem(card.captions);
  return (
    <>
      {fields.map(({ which, label, testId }) => (
        <MarkedField key={which} label={label} testId={testId} value={card.captions[which]} onChange={(text) => actions.setCaption(card.pictureId, which, text)}
          words={words} vocabulary={vocabulary} classWord={classWord} only={only[which]} readOnly={locked} describedBy="caption-difference" />
      ))}
      {problem && <p className="warning" role="alert">{problem}</p>}
      <UnknownWords text={`${complete} ${base}`} />
      <p className="note" id="caption-difference">
        {learned !== '' && <>Only in Complete: <b className="concept">{learned}</b>. </>}
        {lost !== '' && <>Only in Base: <b className="base">{lost}</b>. </>}
        What stands in Complete and not in Base is what will be learned. Say everything else you see, and it will be left alone.
      </p>
    </>
  );
}
