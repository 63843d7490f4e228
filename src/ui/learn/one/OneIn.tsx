/** What goes in, when it is one picture or a face: the picture with its mask, ways to mend that, and what it is called. */
import { useState } from 'react';
import { wordsOf } from '../../../protocol/recipe';
import { isCalledSomebody, problemOf, sightOf } from '../../../state/objects';
import { DropZone } from '../DropZone';
import { KindChoice } from '../KindChoice';
import { PictureGrid } from '../PictureGrid';
import { UndoButton } from '../UndoButton';
import { FaultNote } from '../../parts/FaultNote';
import { MarkedField } from '../../parts/MarkedField';
import { usePreview } from '../../parts/usePreview';
import { useUnknownWords } from '../../parts/UnknownWords';
import { useActions, useStudio } from '../../studio';
import { ids } from '../../testIds';
import { FrameButton } from './Heads';
import { MaskPicture } from './MaskPicture';

export function OneIn() {
  const actions = useActions();
  const card = useStudio((state) => state.cards[0] ?? null);
  const open = useStudio((state) => state.card);
  const over = useStudio((state) => state.dataSetLevel > 0);
  const face = useStudio((state) => sightOf(state) === 'identity');
  const somebody = useStudio(isCalledSomebody);
  const count = useStudio((state) => state.cards.length);
  return (
    <section className="column in" aria-label="What goes in">
      <div className="column-scroll">
        <div className="row title-row">
          <h2>{!face ? 'One picture' : count > 1 ? `${count} faces` : 'One face'}</h2>
          <span className="note one-line">{count > 1 ? open?.name : card?.name ?? open?.name}</span>
          <UndoButton />
          <button type="button" className="link" data-testid={ids.newConcept} title={over ? 'Puts this picture away and takes up what was there before' : 'Puts this picture away and begins anew'} onClick={() => (card && !over ? actions.startOver() : actions.newConcept())}>Start over</button>
        </div>
        {card ? <Mask face={face} /> : <Without />}
        {face && count > 1 && <PictureGrid locked={false} />}
        <Called />
        <KindChoice />
        {somebody
          ? <p className="note one-more">Somebody? <button type="button" className="link" data-testid={ids.byFace} onClick={() => actions.setKind('person')}>Draw by the face alone</button>, and clothes and place stay what the words say.</p>
          : <p className="note one-more">{face ? 'Another picture of the same person tells more of the face. One of somebody else can be mixed with it.' : 'Add more pictures of it, and learning gets exact.'}</p>}
        {(!face || count <= 1) && <DropZone tile />}
      </div>
    </section>
  );
}

/** The picture, its mask, and how to mend it. */
function Mask({ face }: { face: boolean }) {
  const actions = useActions();
  const card = useStudio((state) => state.cards.find(({ pictureId }) => face && pictureId === state.selectedId) ?? state.cards[0]!);
  const known = useStudio((state) => state.masks[card.pictureId] ?? null);
  const fault = useStudio((state) => state.objectFault);
  const problem = known && problemOf(known, face ? 'identity' : 'object');
  const [tool, setTool] = useState<'none' | 'paint' | 'erase'>('none');
  const button = (label: string, testId: string, pressed: boolean | undefined, title: string, press: () => void) => (
    <button type="button" className="button" data-testid={testId} aria-pressed={pressed} disabled={!known} title={title} onClick={press}>{label}</button>
  );
  return (
    <>
      <MaskPicture card={card} tool={tool} />
      <div className="buttons mask-buttons">
        {button('Brush', ids.maskBrush, tool !== 'none', face ? 'Paint what belongs to the head' : 'Paint what belongs to the object', () => setTool(tool === 'none' ? 'paint' : 'none'))}
        {face ? <FrameButton card={card} /> : button('Invert', ids.maskInvert, undefined, 'Take the background for the object', () => actions.invertMask(card.pictureId))}
        {button('Again', ids.maskAgain, undefined, face ? 'Find the head anew' : 'Find the object anew', () => actions.findMaskAgain(card.pictureId))}
      </div>
      <div className="mask-said">
        {tool !== 'none'
          ? <p className="row"><span className="note">Paint over the {face ? 'head' : 'object'}; with Shift, take away.</span><button type="button" className="link" data-testid={ids.maskErase} aria-pressed={tool === 'erase'} onClick={() => setTool(tool === 'erase' ? 'paint' : 'erase')}>{tool === 'erase' ? 'Paint' : 'Erase'}</button></p>
          : problem ?? fault ? <FaultNote fault={problem ?? fault} /> : face && <p className="note">One face, upright, in the upper part of a picture with a plain background, is found best. Only what is in the frame is looked at.</p>}
        {tool !== 'none' && problem && <FaultNote fault={problem} />}
      </div>
    </>
  );
}

/** An imported card holds tokens, and no picture. */
function Without() {
  const preview = usePreview(useStudio((state) => state.card?.preview ?? null));
  return <div className="frame mask-picture">{preview ? <img className="picture" src={preview} alt="Drawn when the card was kept" /> : <p className="frame-empty"><span>This card holds no picture, only what was seen in it.</span></p>}</div>;
}

function Called() {
  const actions = useActions();
  const classWord = useStudio((state) => wordsOf(state.recipe).classWord);
  const guessed = useStudio((state) => state.guessed !== null && state.guessed === wordsOf(state.recipe).classWord);
  const guesses = useStudio((state) => (state.guessed === null ? null : state.object?.guesses ?? null));
  const others = (guesses ?? []).filter((noun) => noun !== classWord);
  const use = (noun: string) => {
    actions.setClassWord(noun);
    void actions.draw();
  };
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const unknown = useUnknownWords(classWord);
  return (
    <>
      <div className="row section"><h2>What is it?</h2><span className={unknown ? 'warning one-line' : 'note'} id="one-word-said">{unknown ?? (guessed ? 'guessed' : '')}</span></div>
      <MarkedField label="What it is" hideLabel testId={ids.classWord} value={classWord} onChange={actions.setClassWord} words={words} vocabulary={vocabulary} placeholder="dog" describedBy="one-word-said" />
      <p className="note one-others">{others.length > 0 && <>or {others.map((noun) => <button key={noun} type="button" className="link" onClick={() => use(noun)}>{noun}</button>)}</>}</p>
    </>
  );
}
