/** What pulls at the picture: the untouched base, then one card a guidance, in order of priority. */
import { Plus } from 'lucide-react';
import { useMemo } from 'react';
import { DropdownMenu } from 'radix-ui';
import { evaluationsOf } from '../../protocol/mixPlan';
import { MAX_GUIDANCES } from '../../protocol/mix';
import { plural } from '../format';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { GuidanceCard } from './GuidanceCard';
import { useMixConcepts } from './useMixConcepts';

export function GuidanceColumn() {
  const mix = useStudio((state) => state.mix);
  const concepts = useMixConcepts();
  const evaluations = useMemo(() => {
    try {
      return plural(evaluationsOf(mix, concepts), 'evaluation');
    } catch {
      // what is wrong with the mix stands beside its cause
      return null;
    }
  }, [mix, concepts]);
  return (
    <section className="column in" aria-label="Guidances">
      <div className="column-scroll guidances">
        <div className="row"><h2>Guidances</h2><span className="note" data-testid={ids.mixEvaluations} title="Passes of the model for each step of the sampler. Equal ones are made once, muted ones never.">{evaluations && `${evaluations} a step`}</span></div>
        <p className="guidance-card locked"><b className="base">∅ Base</b> <span className="note">untouched, always there</span></p>
        <ol className="guidance-list">{mix.guidances.map((guidance, n) => <GuidanceCard key={guidance.id} guidance={guidance} n={n} />)}</ol>
        <AddGuidance full={mix.guidances.length >= MAX_GUIDANCES} />
      </div>
    </section>
  );
}

function AddGuidance({ full }: { full: boolean }) {
  const actions = useActions();
  const concepts = [...useMixConcepts().values()];
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild><button type="button" className="button wide" data-testid={ids.mixAdd} disabled={full} title={full ? `${MAX_GUIDANCES} are the most.` : undefined}><Plus className="icon" aria-hidden />Add guidance</button></DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="start" sideOffset={4}>
          <DropdownMenu.Item className="menu-item" data-testid="mix-add-text" onSelect={() => actions.addGuidance({ kind: 'text', words: 'at night' })}>Text of its own</DropdownMenu.Item>
          {concepts.map(({ conceptId, name }) => <DropdownMenu.Item key={conceptId} className="menu-item concept" data-testid={`mix-add-${conceptId}`} onSelect={() => actions.addGuidance({ kind: 'concept', conceptId, words: null })}>{name}</DropdownMenu.Item>)}
          {concepts.length === 0 && <DropdownMenu.Item className="menu-item muted" onSelect={() => actions.setTab('learn')}>Nothing on the Shelf for this model: learn a concept first</DropdownMenu.Item>}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
