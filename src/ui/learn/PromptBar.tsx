/** Prompt, seed and Draw; behind “More” the negative prompt, steps and guidance. */
import { Dices, SlidersHorizontal } from 'lucide-react';
import { useState } from 'react';
import { guidanceRange, seedRange, stepsRange } from '../../state/params';
import { FaultNote } from '../parts/FaultNote';
import { MarkedField } from '../parts/MarkedField';
import { UnknownWords } from '../parts/UnknownWords';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { NumberInput } from './NumberInput';

const anySeed = () => crypto.getRandomValues(new Uint32Array(1))[0]! % 100_000;

export function PromptBar() {
  const actions = useActions();
  const prompt = useStudio((state) => state.prompt);
  const seed = useStudio((state) => state.seed);
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const classWord = useStudio((state) => (state.recipe.kind === 'style' ? '' : state.recipe.classWord.trim()));
  const ready = useStudio((state) => state.ready !== null);
  const drawing = useStudio((state) => state.drawing);
  const fault = useStudio((state) => state.drawFault);
  const [more, setMore] = useState(false);
  const canDraw = ready && prompt.trim() !== '';
  return (
    <div className="prompt-area">
      <div className="prompt-bar">
        <MarkedField label="Prompt" hideLabel testId={ids.prompt} value={prompt} onChange={(text) => actions.setParams({ prompt: text })} words={words} vocabulary={vocabulary} classWord={classWord}
          placeholder="a dog in the snow" onEnter={() => { if (canDraw) void actions.draw(); }} describedBy="prompt-problem" />
        <div className="seed-box">
          <label htmlFor="seed-input">Seed</label>
          <NumberInput id="seed-input" testId={ids.seed} value={seed} range={seedRange} onChange={(value) => actions.setParams({ seed: value })} />
          <button type="button" className="bare" aria-label="Another seed" title="Another seed" onClick={() => actions.setParams({ seed: anySeed() })}><Dices className="icon" aria-hidden /></button>
        </div>
        <button type="button" className="button icon-only tall" data-testid={ids.more} aria-expanded={more} aria-controls="more-drawing" aria-label="More: negative prompt, steps, guidance" title="Negative prompt, steps, guidance" onClick={() => setMore(!more)}><SlidersHorizontal className="icon" aria-hidden /></button>
        {drawing
          ? <button type="button" className="button tall draw" data-testid={ids.cancelDraw} onClick={actions.cancelDraw}>Stop</button>
          : <button type="button" className="button primary tall draw" data-testid={ids.draw} disabled={!canDraw} onClick={() => void actions.draw()}>Draw</button>}
      </div>
      <UnknownWords text={prompt} id="prompt-problem" />
      <FaultNote fault={fault} action={{ label: 'Draw again', run: () => void actions.draw() }} />
      {more && <MoreDrawing />}
    </div>
  );
}

function MoreDrawing() {
  const actions = useActions();
  const negative = useStudio((state) => state.negative);
  const steps = useStudio((state) => state.steps);
  const guidance = useStudio((state) => state.guidance);
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  return (
    <div className="more" id="more-drawing">
      <MarkedField label="Negative prompt" testId={ids.negative} value={negative} onChange={(text) => actions.setParams({ negative: text })} words={words} vocabulary={vocabulary} placeholder="what should not be there" />
      <div className="field"><label htmlFor="steps-input" title={stepsRange.why}>Steps, {stepsRange.min} to {stepsRange.max}</label><NumberInput id="steps-input" testId={ids.steps} value={steps} range={stepsRange} onChange={(value) => actions.setParams({ steps: value })} /></div>
      <div className="field"><label htmlFor="guidance-input" title={guidanceRange.why}>Guidance (CFG), {guidanceRange.min} to {guidanceRange.max}</label><NumberInput id="guidance-input" testId={ids.guidance} value={guidance} range={guidanceRange} onChange={(value) => actions.setParams({ guidance: value })} /></div>
    </div>
  );
}
