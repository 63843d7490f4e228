/** Class word and kind: what the concept is in general, and whether it is a thing or a style. */
import { MarkedField } from '../parts/MarkedField';
import { Segmented } from '../parts/Segmented';
import { UnknownWords } from '../parts/UnknownWords';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

export function WhatIsIt({ locked }: { locked: boolean }) {
  const actions = useActions();
  const kind = useStudio((state) => state.recipe.kind);
  const classWord = useStudio((state) => state.recipe.classWord);
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  return (
    <>
      <h2 className="section">What is it?</h2>
      {kind === 'instance' && (
        <>
          <MarkedField label="Class word" testId={ids.classWord} value={classWord} onChange={actions.setClassWord} words={words} vocabulary={vocabulary} readOnly={locked} placeholder="dog" describedBy="class-word-problem" />
          <UnknownWords text={classWord} id="class-word-problem" />
        </>
      )}
      <Segmented label="Kind of concept" value={kind} disabled={locked} onChange={actions.setKind}
        options={[{ value: 'instance', label: 'Thing', testId: ids.kindInstance }, { value: 'style', label: 'Style', testId: ids.kindStyle }]} />
    </>
  );
}
