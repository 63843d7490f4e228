/** What few change from picture to picture: negative prompt, steps, guidance, sampler, skipped layers. */
import { SAMPLER_NAMES } from '../../formats/pngParameters';
import { Switch } from 'radix-ui';
import { SAMPLERS, type Sampler } from '../../protocol/pictures';
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
  const sampler = useStudio((state) => state.sampler);
  const skipLayers = useStudio((state) => state.skipLayers);
  const skips = useStudio((state) => state.ready?.skips ?? false);
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  return (
    <div className="more" id="more-drawing">
      <MarkedField label="Negative prompt" testId={ids.negative} value={negative} onChange={(text) => actions.setParams({ negative: text })} words={words} vocabulary={vocabulary} placeholder="what should not be there" />
      <div className="field"><label htmlFor="steps-input" title={stepsRange.why}>Steps, {stepsRange.min} to {stepsRange.max}</label><NumberInput id="steps-input" testId={ids.steps} value={steps} range={stepsRange} onChange={(value) => actions.setParams({ steps: value })} onSay={onSay} /></div>
      <div className="field"><label htmlFor="guidance-input" title={guidanceRange.why}>Guidance (CFG), {guidanceRange.min} to {guidanceRange.max}</label><NumberInput id="guidance-input" testId={ids.guidance} value={guidance} range={guidanceRange} onChange={(value) => actions.setParams({ guidance: value })} onSay={onSay} /></div>
      <div className="field">
        <label htmlFor="sampler-input" title="How a step is made. DPM++ 2M also looks at the step before and needs fewer of them.">Sampler</label>
        <select id="sampler-input" className="select" data-testid={ids.sampler} value={sampler} onChange={({ target }) => actions.setParams({ sampler: target.value as Sampler })}>{SAMPLERS.map((each) => <option key={each} value={each}>{SAMPLER_NAMES[each]}</option>)}</select>
      </div>
      {skips && (
        <div className="field">
          <label htmlFor="skip-layers-input" title="In the first fifth of the steps, away from what the model draws without its blocks 7 to 9, as published for SD3.5 Medium. Shapes hold together better; those steps cost half as much again.">Skip-layer guidance</label>
          <Switch.Root id="skip-layers-input" className="switch" data-testid={ids.skipLayers} checked={skipLayers} onCheckedChange={(next) => actions.setParams({ skipLayers: next })}><Switch.Thumb className="switch-thumb" /></Switch.Root>
        </div>
      )}
    </div>
  );
}
