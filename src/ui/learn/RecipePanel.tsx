/** The recipe, rendered from the method's own table of fields: two presets, every field with unit, range and one line of why. */
import { Link } from 'lucide-react';
import type { Field } from '../../methods/fields';
import { pureccFields, type PureccPreset } from '../../methods/purecc/meta';
import { presetOf } from '../../protocol/recipe';
import type { RecipeKey } from '../../state/recipe';
import { Dialog } from '../parts/Dialog';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { RecipeField } from './RecipeField';

const groupNames: Record<string, string> = { run: 'Run', purity: 'Purity', adapter: 'Adapter', optimizer: 'Optimizer' };
const entries = Object.entries(pureccFields) as [RecipeKey, Field][];

export function RecipePanel({ open, onClose, locked }: { open: boolean; onClose(): void; locked: boolean }) {
  const actions = useActions();
  const recipe = useStudio((state) => state.recipe);
  const preset = presetOf(recipe);
  const copy = async () => {
    await navigator.clipboard.writeText(location.href).then(() => actions.notify('The link with this recipe is copied.'), () => actions.notify('The browser does not allow copying; take the address from its bar.', 'bad'));
  };
  return (
    <Dialog open={open} onClose={onClose} title="Recipe" shape="side" testId="recipe-panel">
      <div className="panel-scroll">
        <p className="note">{locked ? 'What this concept was learned with. A new concept can have another recipe.' : 'Defaults are right for most. Everything here decides what a run computes, and goes with the link.'}</p>
        <Segmented<PureccPreset | 'own'> label="Preset" value={preset ?? 'own'} disabled={locked} onChange={(next) => { if (next !== 'own') actions.applyPreset(next); }}
          options={[{ value: 'lamina', label: 'Lamina', testId: ids.presetLamina }, { value: 'paper', label: 'Paper', testId: ids.presetPaper }]} />
        <p className="note">{preset === 'paper' ? 'As published: seen against nothing, no hold.' : preset === 'lamina' ? 'Seen against the class, with a hold on the base: as like, with less drift.' : 'Neither preset: changed by hand.'}</p>
        {Object.entries(groupNames).map(([group, title]) => (
          <section key={group}>
            <h3 className="section">{title}</h3>
            {entries.filter(([, field]) => field.group === group).map(([key, field]) => <RecipeField key={key} name={key} field={field} locked={locked} />)}
          </section>
        ))}
      </div>
      <div className="actions">
        {!locked && <button type="button" className="button" onClick={actions.resetRecipe}>Back to defaults</button>}
        <button type="button" className="button" onClick={() => void copy()}><Link className="icon" aria-hidden /> Copy link</button>
      </div>
    </Dialog>
  );
}
