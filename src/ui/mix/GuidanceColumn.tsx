/** What pulls at the picture: the untouched base, then one card a guidance, in order of priority. */
import { Plus } from 'lucide-react';
import { useMemo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { DropdownMenu } from 'radix-ui';
import { evaluationsOf, planMix, termInWords } from '../../protocol/mixPlan';
import { MAX_GUIDANCES, newObjectSource } from '../../protocol/mix';
import { cardsToMix } from '../../state/mixCards';
import { plural } from '../format';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { GuidanceCard } from './GuidanceCard';
import { useDrawnMix } from './useDrawnMix';
import { useMixConcepts } from './useMixConcepts';

export function GuidanceColumn() {
  const mix = useDrawnMix();
  const guidances = useStudio((state) => state.mix.guidances);
  const concepts = useMixConcepts();
  const plan = useMemo(() => {
    try {
      return { evaluations: plural(evaluationsOf(mix, concepts), 'evaluation'), said: planMix(mix, concepts).terms.map(termInWords) };
    } catch {
      // what is wrong with the mix stands beside its cause
      return null;
    }
  }, [mix, concepts]);
  return (
    <section className="column in" aria-label="Guidances">
      <div className="column-scroll guidances">
        <div className="row"><h2>Guidances</h2><span className="note" data-testid={ids.mixEvaluations} title="Passes of the model for each step of the sampler. Equal ones are made once, muted ones never.">{plan && `${plan.evaluations} a step`}</span></div>
        <p className="guidance-card locked"><b className="base">∅ Base</b> <span className="note">untouched, always there</span></p>
        <ol className="guidance-list">{guidances.map((guidance, n) => <GuidanceCard key={guidance.id} guidance={guidance} n={n} said={plan?.said[n] ?? ''} />)}</ol>
        <AddGuidance full={guidances.length >= MAX_GUIDANCES} />
      </div>
    </section>
  );
}

function AddGuidance({ full }: { full: boolean }) {
  const actions = useActions();
  const concepts = [...useMixConcepts().values()];
  const cards = useStudio(useShallow(cardsToMix));
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild><button type="button" className="button wide" data-testid={ids.mixAdd} disabled={full} title={full ? `${MAX_GUIDANCES} are the most.` : undefined}><Plus className="icon" aria-hidden />Add guidance</button></DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="start" sideOffset={4}>
          <DropdownMenu.Item className="menu-item" data-testid="mix-add-text" onSelect={() => actions.addGuidance({ kind: 'text', words: 'at night' })}>Text of its own</DropdownMenu.Item>
          {concepts.map(({ conceptId, name }) => <DropdownMenu.Item key={conceptId} className="menu-item concept" data-testid={`mix-add-${conceptId}`} onSelect={() => actions.addGuidance({ kind: 'concept', conceptId, words: null })}>{name}</DropdownMenu.Item>)}
          {cards.map((card) => <DropdownMenu.Item key={card.cardId} className="menu-item concept" data-testid={`mix-add-card-${card.cardId}`} onSelect={() => actions.addGuidance(newObjectSource(card.cardId, card))}><span className="one-line">{card.name}</span><span className="note">card</span></DropdownMenu.Item>)}
          {concepts.length + cards.length === 0 && <DropdownMenu.Item className="menu-item muted" onSelect={() => actions.setTab('learn')}>Nothing on the Shelf for this model: learn a concept first</DropdownMenu.Item>}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
