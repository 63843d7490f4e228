/** Class word and kind: what the concept is in general, and whether it is a thing, a style, a world or, where the base has an adapter for that, somebody. */
import { Lock } from 'lucide-react';
import { wordsOf } from '../../protocol/recipe';
import { MarkedField } from '../parts/MarkedField';
import { Segmented } from '../parts/Segmented';
import { useUnknownWords } from '../parts/UnknownWords';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

export function WhatIsIt({ locked }: { locked: boolean }) {
  const actions = useActions();
  const kind = useStudio((state) => state.recipe.kind);
  const classWord = useStudio((state) => wordsOf(state.recipe).classWord);
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const unknown = useUnknownWords(classWord);
  // an adapter that sees pictures is what aligns with a person
  const persons = useStudio((state) => state.ready?.persons ?? false) || kind === 'person';
  return (
    <>
      <div className="row section"><h2>What is it?</h2>{locked && <Locked />}</div>
      {(kind === 'instance' || kind === 'person') && (
        <MarkedField label="Class word" testId={ids.classWord} value={classWord} onChange={actions.setClassWord} words={words} vocabulary={vocabulary} readOnly={locked} placeholder="dog" describedBy="class-word-problem"
          aside={<span className="warning one-line" id="class-word-problem" title={unknown ?? undefined}>{unknown}</span>} />
      )}
      <Segmented label="Kind of concept" value={kind} disabled={locked} onChange={actions.setKind}
        options={[{ value: 'instance', label: 'Thing', testId: ids.kindInstance }, { value: 'style', label: 'Style', testId: ids.kindStyle }, { value: 'world', label: 'World', testId: ids.kindWorld }, ...(persons ? [{ value: 'person' as const, label: 'Person', testId: ids.kindPerson }] : [])]} />
      {kind === 'person' && <p className="note">Somebody whom the picture adapter draws from these pictures. Learning holds everything else to what it is without them.</p>}
      {kind === 'world' && <p className="note">A world is what many pictures have in common, learned without a word for any of them: its balance pulls every prompt towards it.</p>}
    </>
  );
}

/** Why these fields do not take anything. */
function Locked() {
  return <span className="note locked" title="A run keeps the pictures, captions and class word it began with."><Lock className="icon" aria-hidden />fixed for this run</span>;
}
