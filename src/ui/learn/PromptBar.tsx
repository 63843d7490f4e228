/** Prompt, seed and Draw; behind “More” the negative prompt, steps, guidance and sampler. One line below is reserved for what there is to say. */
import { Dices, SlidersHorizontal } from 'lucide-react';
import { useState } from 'react';
import { wordsOf } from '../../protocol/recipe';
import { seedRange } from '../../state/params';
import { MarkedField } from '../parts/MarkedField';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { MoreDrawing } from './MoreDrawing';
import { NumberInput } from './NumberInput';
import { usePrimary } from './primary';
import { PromptLine } from './PromptLine';

const anySeed = () => crypto.getRandomValues(new Uint32Array(1))[0]! % 100_000;

export function PromptBar() {
  const actions = useActions();
  const prompt = useStudio((state) => state.prompt);
  const seed = useStudio((state) => state.seed);
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const classWord = useStudio((state) => (state.recipe.kind === 'style' ? '' : wordsOf(state.recipe).classWord.trim()));
  const ready = useStudio((state) => state.ready !== null);
  const drawing = useStudio((state) => state.drawing);
  const primary = usePrimary('draw');
  const [more, setMore] = useState(false);
  const [said, setSaid] = useState('');
  const canDraw = ready && prompt.trim() !== '';
  return (
    <div className="prompt-area">
      <div className="prompt-bar">
        <MarkedField label="Prompt" hideLabel testId={ids.prompt} value={prompt} onChange={(text) => actions.setParams({ prompt: text })} words={words} vocabulary={vocabulary} classWord={classWord}
          placeholder="a dog in the snow" onEnter={() => { if (canDraw) void actions.draw(); }} describedBy="prompt-line" />
        <div className="seed-box">
          <label htmlFor="seed-input">Seed</label>
          <NumberInput id="seed-input" testId={ids.seed} value={seed} range={seedRange} onChange={(value) => actions.setParams({ seed: value })} onSay={setSaid} />
          <button type="button" className="bare" aria-label="Another seed" title="Another seed" onClick={() => actions.setParams({ seed: anySeed() })}><Dices className="icon" aria-hidden /></button>
        </div>
        <button type="button" className="button icon-only tall" data-testid={ids.more} aria-expanded={more} aria-controls="more-drawing" aria-label="More: negative prompt, steps, guidance, sampler" title="Negative prompt, steps, guidance, sampler" onClick={() => setMore(!more)}><SlidersHorizontal className="icon" aria-hidden /></button>
        {drawing
          ? <button type="button" className="button tall draw" data-testid={ids.cancelDraw} onClick={actions.cancelDraw}>Stop drawing</button>
          : <button type="button" className={`button tall draw ${primary}`} data-testid={ids.draw} disabled={!canDraw} onClick={() => void actions.draw()}>Draw</button>}
      </div>
      {more && <MoreDrawing onSay={setSaid} />}
      <PromptLine said={said} open={more} />
    </div>
  );
}
