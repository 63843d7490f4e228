/** Class word and kind: what the concept is in general. */
import { Lock } from 'lucide-react';
import { wordsOf } from '../../protocol/recipe';
import { MarkedField } from '../parts/MarkedField';
import { useUnknownWords } from '../parts/UnknownWords';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { KindChoice } from './KindChoice';

export function WhatIsIt({ locked }: { locked: boolean }) {
  const actions = useActions();
  const kind = useStudio((state) => state.recipe.kind);
  const classWord = useStudio((state) => wordsOf(state.recipe).classWord);
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const unknown = useUnknownWords(classWord);
  return (
    <>
      <div className="row section"><h2>What is it?</h2>{locked && <Locked />}</div>
      {(kind === 'instance' || kind === 'person') && (
        <MarkedField label="Class word" testId={ids.classWord} value={classWord} onChange={actions.setClassWord} words={words} vocabulary={vocabulary} readOnly={locked} placeholder="dog" describedBy="class-word-problem"
          aside={<span className="warning one-line" id="class-word-problem" title={unknown ?? undefined}>{unknown}</span>} />
      )}
      <KindChoice locked={locked} />
      {kind === 'person' && <p className="note">Somebody whom the picture adapter draws from these pictures. Learning holds everything else to what it is without them.</p>}
      {kind === 'world' && <p className="note">A world is what many pictures have in common, learned without a word for any of them: its balance pulls every prompt towards it.</p>}
    </>
  );
}

/** Why these fields do not take anything. */
function Locked() {
  return <span className="note locked" title="A run keeps the pictures, captions and class word it began with."><Lock className="icon" aria-hidden />fixed for this run</span>;
}
