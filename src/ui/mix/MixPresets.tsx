/** Ways to begin, and the mixes that were kept. What the Shelf has not enough for says so. */
import { X } from 'lucide-react';
import { mixPresets, type MixPresetName } from '../../state/mixPresets';
import { useActions, useStudio } from '../studio';
import { useMixConcepts } from './useMixConcepts';

export function MixPresets() {
  const actions = useActions();
  const mix = useStudio((state) => state.mix);
  const kept = useStudio((state) => state.mixesKept);
  const concepts = useMixConcepts();
  return (
    <div>
      <h2>Presets</h2>
      <ul className="presets">
        {(Object.entries(mixPresets) as [MixPresetName, (typeof mixPresets)[MixPresetName]][]).map(([name, { label, apply }]) => {
          const tried = apply(mix, concepts, () => 'tried');
          const why = typeof tried === 'string' ? tried : '';
          return <li key={name}><button type="button" className="link preset" data-testid={`mix-preset-${name}`} disabled={why !== ''} title={why || undefined} onClick={() => actions.applyMixPreset(name)}>{label}</button>{why && <span className="note">{why}</span>}</li>;
        })}
        {kept.map(({ name, mix: whole }) => (
          <li key={name} className="row"><button type="button" className="link preset one-line" title={name} onClick={() => actions.openMix(whole)}>{name}</button><button type="button" className="bare" aria-label={`Forget “${name}”`} title="Forget it" onClick={() => actions.forgetMix(name)}><X className="icon" aria-hidden /></button></li>
        ))}
      </ul>
    </div>
  );
}
