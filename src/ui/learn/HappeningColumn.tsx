/** What is happening: how it goes before learning; progress, what changed, charts and the way to keep it afterwards. */
import { useState } from 'react';
import { isOpen } from '../../state/run';
import { ExportDialog } from '../shelf/ExportDialog';
import { useNarrow } from '../narrow';
import { useStudio } from '../studio';
import { ids } from '../testIds';
import { Charts } from './Charts';
import { ObjectNote } from './one/ObjectNote';
import { HandOver } from './HandOver';
import { HowItGoes, ThisDevice } from './HowItGoes';
import { KeepButton } from './KeepButton';
import { OpenedConcept } from './OpenedConcept';
import { Progress } from './Progress';
import { RecipePanel } from './RecipePanel';
import { WhatChanged } from './WhatChanged';

export function HappeningColumn() {
  const run = useStudio((state) => state.run);
  const opened = useStudio((state) => state.opened);
  const empty = useStudio((state) => state.cards.length === 0);
  const narrow = useNarrow();
  const [recipe, setRecipe] = useState(false);
  return (
    <section className="column happening" aria-label="What is happening">
      <div className="column-scroll">
        {run && <><Progress run={run} /><WhatChanged /><Charts /><HandOver run={run} /></>}
        {!run && opened && <><OpenedConcept concept={opened} /><WhatChanged /></>}
        {!run && !opened && <ObjectNote />}
        {!run && !opened && <HowItGoes />}
        {!run && <ThisDevice />}
      </div>
      {(run || opened || !empty) && (
        <footer className="column-foot pair">
          <button type="button" className="button" data-testid={ids.recipe} onClick={() => setRecipe(true)}>Recipe</button>
          {run && (!narrow || isOpen(run)) && <KeepButton />}
          {!run && opened && <ExportButton />}
        </footer>
      )}
      <RecipePanel open={recipe} onClose={() => setRecipe(false)} locked={run !== null || opened !== null} />
    </section>
  );
}

function ExportButton() {
  const opened = useStudio((state) => state.opened);
  const [open, setOpen] = useState(false);
  if (!opened) return null;
  return (
    <>
      <button type="button" className="button" onClick={() => setOpen(true)}>Export</button>
      {open && <ExportDialog concept={opened} onClose={() => setOpen(false)} />}
    </>
  );
}
