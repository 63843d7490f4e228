/** One guidance: what it pulls towards, how strongly, where and when. */
import { ChevronUp, X } from 'lucide-react';
import type { MixGuidance } from '../../protocol/mix';
import { mixWeightRange } from '../../protocol/mix';
import { MarkedField } from '../parts/MarkedField';
import { usePreview } from '../parts/usePreview';
import { useActions, useStudio } from '../studio';
import { mixRowId } from '../testIds';
import { MaskMenu } from './MaskMenu';
import { CurveMenu } from './CurveMenu';

const FINE = 0.05;
/** The middle of the slider is fine, its ends reach ten: position² keeps both. */
export const toSlider = (weight: number): number => Math.sign(weight) * Math.sqrt(Math.abs(weight) / mixWeightRange.max);
export const fromSlider = (position: number): number => Math.round((Math.sign(position) * position * position * mixWeightRange.max) / FINE) * FINE;

export function GuidanceCard({ guidance, n }: { guidance: MixGuidance; n: number }) {
  const actions = useActions();
  const { id, source, weight, muted, solo } = guidance;
  const selected = useStudio((state) => state.mixSelected === id);
  const concept = useStudio((state) => (source.kind === 'concept' ? state.concepts.find(({ conceptId }) => conceptId === source.conceptId) : undefined));
  const own = useStudio((state) => concept?.base === state.usedBase.id);
  const control = source.kind === 'text' && source.words === null;
  const name = source.kind === 'concept' ? (concept?.name ?? 'Not on this Shelf') : control ? 'The prompt' : source.words || 'Text';
  const tone = source.kind === 'concept' ? 'concept' : 'base';
  const set = (change: Partial<MixGuidance>) => actions.setGuidance(id, change);
  const position = toSlider(weight);
  return (
    <li className="guidance-card" data-testid={mixRowId('guidance', n)} data-muted={muted || undefined} data-selected={selected || undefined} onPointerDownCapture={() => actions.selectGuidance(id)} onFocusCapture={() => actions.selectGuidance(id)}>
      <div className="guidance-head">
        {concept?.preview && <Thumb blob={concept.preview} />}
        <div className="guidance-name">
          <p className={`one-line ${source.kind === 'concept' ? 'concept' : ''}`} title={name}><b>{name}</b></p>
          <p className="note one-line">{source.kind === 'concept' ? (!concept ? 'import its file, or take it away' : !own ? 'of another model: take it away' : concept.kind === 'instance' ? 'thing' : concept.kind) : control ? 'text control' : 'text of its own'}</p>
        </div>
        <output className={`guidance-weight ${tone}`} title={source.kind === 'concept' ? '1 is the strength it was learned with.' : '1 is ordinary guidance.'}>{weight.toFixed(2)}</output>
        <span className="guidance-order">
          <button type="button" className="bare" data-testid={mixRowId('up', n)} disabled={n === 0} aria-label={`${name}: higher priority`} title="Higher priority" onClick={() => actions.moveGuidance(id, -1)}><ChevronUp className="icon" aria-hidden /></button>
          <button type="button" className="bare" data-testid={mixRowId('remove', n)} aria-label={`Remove ${name}`} title="Remove" onClick={() => actions.removeGuidance(id)}><X className="icon" aria-hidden /></button>
        </span>
      </div>
      <input type="range" className={`weight ${tone}`} data-testid={mixRowId('weight', n)} aria-label={`Weight of ${name}`} aria-valuetext={weight.toFixed(2)} min={-1} max={1} step="any" value={position}
        style={{ '--from': `${50 + 50 * Math.min(0, position)}%`, '--to': `${50 + 50 * Math.max(0, position)}%` } as React.CSSProperties}
        onKeyDown={(event) => {
          const by = { ArrowRight: FINE, ArrowUp: FINE, ArrowLeft: -FINE, ArrowDown: -FINE, PageUp: 0.5, PageDown: -0.5 }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          set({ weight: Math.min(mixWeightRange.max, Math.max(mixWeightRange.min, Math.round((weight + by * (event.shiftKey ? 0.2 : 1)) * 100) / 100)) });
        }}
        onChange={(event) => set({ weight: fromSlider(Number(event.target.value)) })} onDoubleClick={() => set({ weight: 1 })} />
      <div className="guidance-tools">
        <button type="button" className="tool" data-testid={mixRowId('solo', n)} aria-pressed={solo} onClick={() => set({ solo: !solo })}>solo</button>
        <button type="button" className="tool" data-testid={mixRowId('mute', n)} aria-pressed={muted} onClick={() => set({ muted: !muted })}>mute</button>
        <MaskMenu guidance={guidance} n={n} scene={concept?.kind !== 'world'} />
        <CurveMenu guidance={guidance} n={n} />
      </div>
      {source.kind === 'text' && !control && <OwnWords guidance={guidance} n={n} text={source.words ?? ''} />}
      {concept && concept.kind !== 'world' && guidance.alone && <OwnScene id={id} n={n} conceptId={concept.conceptId} text={source.words ?? ''} />}
    </li>
  );
}

function Thumb({ blob }: { blob: Blob }) {
  const url = usePreview(blob);
  return url && <img className="guidance-thumb" src={url} alt="" />;
}

function OwnWords({ guidance: { id, against, alone }, n, text }: { guidance: MixGuidance; n: number; text: string }) {
  const actions = useActions();
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  return (
    <div className="guidance-words">
      <MarkedField label="Towards" testId={mixRowId('words', n)} value={text} onChange={(next) => actions.setGuidance(id, { source: { kind: 'text', words: next } })} words={words} vocabulary={vocabulary} placeholder="nothing" />
      {/* a scene of its own stands in place of the prompt's, so there is nothing else to pull away from */}
      {!alone && <MarkedField label="Away from" testId={`mix-against-${n}`} value={against} onChange={(next) => actions.setGuidance(id, { against: next })} words={words} vocabulary={vocabulary} placeholder="nothing" />}
    </div>
  );
}

/** What is drawn in the mask, read with [V] for the concept; empty: the prompt. */
function OwnScene({ id, n, conceptId, text }: { id: string; n: number; conceptId: string; text: string }) {
  const actions = useActions();
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const set = (next: string) => actions.setGuidance(id, { source: { kind: 'concept', conceptId, words: next.trim() === '' ? null : next } });
  return <div className="guidance-words"><MarkedField label="Its own scene" testId={mixRowId('words', n)} value={text} onChange={set} words={words} vocabulary={vocabulary} placeholder="the prompt" /></div>;
}
