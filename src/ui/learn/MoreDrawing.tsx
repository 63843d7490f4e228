/** What few change from picture to picture: negative prompt, steps, guidance. */
import { guidanceRange, stepsRange } from '../../state/params';
import { MarkedField } from '../parts/MarkedField';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { NumberInput } from './NumberInput';

export function MoreDrawing({ onSay }: { onSay(text: string): void }) {
  const actions = useActions();
  const negative = useStudio((state) => state.negative);
  const steps = useStudio((state) => state.steps);
  const guidance = useStudio((state) => state.guidance);
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  return (
    <div className="more" id="more-drawing">
      <MarkedField label="Negative prompt" testId={ids.negative} value={negative} onChange={(text) => actions.setParams({ negative: text })} words={words} vocabulary={vocabulary} placeholder="what should not be there" />
      <div className="field"><label htmlFor="steps-input" title={stepsRange.why}>Steps, {stepsRange.min} to {stepsRange.max}</label><NumberInput id="steps-input" testId={ids.steps} value={steps} range={stepsRange} onChange={(value) => actions.setParams({ steps: value })} onSay={onSay} /></div>
      <div className="field"><label htmlFor="guidance-input" title={guidanceRange.why}>Guidance (CFG), {guidanceRange.min} to {guidanceRange.max}</label><NumberInput id="guidance-input" testId={ids.guidance} value={guidance} range={guidanceRange} onChange={(value) => actions.setParams({ guidance: value })} onSay={onSay} /></div>
    </div>
  );
}
