/** The recipe, rendered from the method's own table of fields: two presets, every field with unit, range and one line of why. */
import { Link } from 'lucide-react';
import type { Field } from '../../methods/fields';
import { metaOf, presetOf, type RecipeKey } from '../../protocol/recipe';
import { Dialog } from '../parts/Dialog';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';
import { presetId } from '../testIds';
import { RecipeField } from './RecipeField';

const groupNames: Record<string, string> = { run: 'Run', purity: 'Purity', adapter: 'Adapter', optimizer: 'Optimizer' };

export function RecipePanel({ open, onClose, locked }: { open: boolean; onClose(): void; locked: boolean }) {
  const actions = useActions();
  const recipe = useStudio((state) => state.recipe);
  const { fields, presets } = metaOf(recipe);
  const withoutT5 = useStudio((state) => state.ready?.withoutT5 ?? false);
  const objects = useStudio((state) => state.ready?.objects ?? false);
  const has = { withoutT5, objects };
  const entries = (Object.entries(fields) as [RecipeKey, Field][]).filter(([, { only }]) => !only || has[only]);
  const preset = presetOf(recipe);
  const copy = async () => {
    await navigator.clipboard.writeText(location.href).then(() => actions.notify('The link with this recipe is copied.'), () => actions.notify('The browser does not allow copying; take the address from its bar.', 'bad'));
  };
  return (
    <Dialog open={open} onClose={onClose} title="Recipe" shape="side" testId="recipe-panel">
      <div className="panel-scroll" tabIndex={0} role="group" aria-label="Fields of the recipe">
        <p className="note">{locked ? 'What this concept was learned with. A new concept can have another recipe.' : 'Defaults are right for most. Everything here decides what a run computes, and goes with the link.'}</p>
        <Segmented<string> label="Preset" value={preset ?? 'own'} disabled={locked} onChange={(next) => { if (next !== 'own') actions.applyPreset(next); }}
          options={Object.entries(presets).map(([value, { label }]) => ({ value, label, testId: presetId(value) }))} />
        <p className="note">{preset === null ? 'No preset: changed by hand.' : presets[preset]!.why}</p>
        {Object.entries(groupNames).filter(([group]) => entries.some(([, field]) => field.group === group)).map(([group, title]) => (
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
