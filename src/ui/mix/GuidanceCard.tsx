/** One guidance: what it pulls towards, how strongly, where and when. */
import { ChevronUp, ImageIcon, TriangleAlert, X } from 'lucide-react';
import { mixWeightRange, objectWeightRange, type MixGuidance, type MixSource } from '../../protocol/mix';
import { guidanceName, sameCard, whySilent } from '../../state/mixCards';
import { plural } from '../format';
import { MarkedField } from '../parts/MarkedField';
import { usePreview } from '../parts/usePreview';
import { useActions, useStudio } from '../studio';
import { mixRowId } from '../testIds';
import { MaskMenu } from './MaskMenu';
import { CurveMenu } from './CurveMenu';

const FINE = 0.05;
/** The middle of the slider is fine, its ends reach ten: position² keeps both. */
const toSlider = (weight: number): number => Math.sign(weight) * Math.sqrt(Math.abs(weight) / mixWeightRange.max);
const fromSlider = (position: number): number => Math.round((Math.sign(position) * position * position * mixWeightRange.max) / FINE) * FINE;

/** A slider from 0 has room for its whole range as it is. */
const scaleOf = (source: MixSource) => (source.kind === 'object'
  ? { range: objectWeightRange, to: (weight: number) => Math.min(objectWeightRange.max, Math.max(0, weight)), from: (position: number) => Math.round(position / FINE) * FINE, low: 0, high: objectWeightRange.max }
  : { range: mixWeightRange, to: toSlider, from: fromSlider, low: -1, high: 1 });

export function GuidanceCard({ guidance, n, said }: { guidance: MixGuidance; n: number; /** What it evaluates, in words. */ said: string }) {
  const actions = useActions();
  const { id, source, weight, muted, solo } = guidance;
  const selected = useStudio((state) => state.mixSelected === id);
  const concept = useStudio((state) => (source.kind === 'concept' ? state.concepts.find(({ conceptId }) => conceptId === source.conceptId) : undefined));
  const own = useStudio((state) => concept?.base === state.usedBase.id);
  const control = source.kind === 'text' && source.words === null;
  const card = useStudio((state) => (source.kind === 'object' ? state.objectCards.find(({ cardId }) => cardId === source.object.cardId) : undefined));
  const silent = useStudio((state) => whySilent(source, state));
  const again = useStudio((state) => sameCard(source, state));
  const name = useStudio((state) => guidanceName(guidance, state));
  const tone = source.kind === 'text' ? 'base' : 'concept';
  const preview = concept?.preview ?? card?.preview;
  const scale = scaleOf(source);
  const of = source.kind === 'object' ? (!card ? 'card' : `card of ${plural(card.references, 'picture')}`) : source.kind === 'text' ? (control ? 'text control' : 'text of its own') : !concept ? 'import its file, or take it away' : !own ? 'of another model: take it away' : concept.kind === 'instance' ? 'thing' : concept.kind;
  const set = (change: Partial<MixGuidance>) => actions.setGuidance(id, change);
  const position = scale.to(weight);
  const along = (at: number) => `${(100 * (at - scale.low)) / (scale.high - scale.low)}%`;
  return (
    <li className="guidance-card" data-testid={mixRowId('guidance', n)} data-muted={muted || silent !== null || undefined} data-silent={silent !== null || undefined} data-selected={selected || undefined} onPointerDownCapture={() => actions.selectGuidance(id)} onFocusCapture={() => actions.selectGuidance(id)}>
      <div className="guidance-head">
        {preview ? <Thumb blob={preview} /> : source.kind === 'object' && <span className="guidance-thumb badge-thumb"><ImageIcon className="icon" aria-hidden /></span>}
        <div className="guidance-name">
          <p className={`one-line ${tone === 'concept' ? 'concept' : ''}`} title={name}><b>{name}</b></p>
          <p className="note one-line" title={said || undefined}>{of}</p>
        </div>
        <output className={`guidance-weight ${tone}`} title={source.kind === 'concept' ? '1 is the strength it was learned with.' : source.kind === 'object' ? '1 is the strength its encoder was trained with; 0 is the words alone.' : '1 is ordinary guidance.'}>{weight.toFixed(2)}</output>
        <span className="guidance-order">
          <button type="button" className="bare" data-testid={mixRowId('up', n)} disabled={n === 0} aria-label={`${name}: higher priority`} title="Higher priority" onClick={() => actions.moveGuidance(id, -1)}><ChevronUp className="icon" aria-hidden /></button>
          <button type="button" className="bare" data-testid={mixRowId('remove', n)} aria-label={`Remove ${name}`} title="Remove" onClick={() => actions.removeGuidance(id)}><X className="icon" aria-hidden /></button>
        </span>
      </div>
      <input type="range" className={`weight ${tone}`} data-testid={mixRowId('weight', n)} aria-label={`Weight of ${name}`} aria-valuetext={weight.toFixed(2)} min={scale.low} max={scale.high} step="any" value={position}
        style={{ '--from': along(Math.min(0, position)), '--to': along(Math.max(0, position)) } as React.CSSProperties}
        onKeyDown={(event) => {
          const by = { ArrowRight: FINE, ArrowUp: FINE, ArrowLeft: -FINE, ArrowDown: -FINE, PageUp: 0.5, PageDown: -0.5 }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          set({ weight: Math.min(scale.range.max, Math.max(scale.range.min, Math.round((weight + by * (event.shiftKey ? 0.2 : 1)) * 100) / 100)) });
        }}
        onChange={(event) => set({ weight: scale.from(Number(event.target.value)) })} onDoubleClick={() => set({ weight: 1 })} />
      <div className="guidance-tools">
        <button type="button" className="tool" data-testid={mixRowId('solo', n)} aria-pressed={solo} onClick={() => set({ solo: !solo })}>solo</button>
        <button type="button" className="tool" data-testid={mixRowId('mute', n)} aria-pressed={muted} onClick={() => set({ muted: !muted })}>mute</button>
        <MaskMenu guidance={guidance} n={n} scene={concept?.kind !== 'world'} />
        <CurveMenu guidance={guidance} n={n} />
      </div>
      {silent !== null
        ? <p className="warning with-icon" data-testid={mixRowId('silent', n)}><TriangleAlert className="icon" aria-hidden /><span>{silent}{again && <> <button type="button" className="link" data-testid={mixRowId('again', n)} onClick={() => actions.seeCard(id, again)}>Use the card of that name</button></>}</span></p>
        : source.kind === 'object' && said !== '' && <p className="note guidance-said">{said}</p>}
      {source.kind === 'text' && !control && <OwnWords guidance={guidance} n={n} text={source.words ?? ''} />}
      {guidance.alone && (source.kind === 'object' || (concept && concept.kind !== 'world' && source.kind === 'concept')) && <OwnScene id={id} n={n} source={source} />}
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

/** What is drawn of its own, and where it stands there, read with [V] for the concept, and the class word for a card; empty: the prompt. The mask takes its part of that. */
function OwnScene({ id, n, source }: { id: string; n: number; source: Exclude<MixSource, { kind: 'text' }> }) {
  const actions = useActions();
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const set = (next: string) => actions.setGuidance(id, { source: { ...source, words: next.trim() === '' ? null : next } });
  return <div className="guidance-words"><MarkedField label="Its own scene, and where it stands" testId={mixRowId('words', n)} value={source.words ?? ''} onChange={set} words={words} vocabulary={vocabulary} placeholder="the prompt" /></div>;
}
