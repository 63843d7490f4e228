/** The picture of the mix, what it is drawn from, and the same mix on other seeds. */
import { Dices, Download, ImagePlus, SlidersHorizontal, X } from 'lucide-react';
import { useRef, useState } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { guidanceRange, seedRange, stepsRange } from '../../state/params';
import { mixPictureKey } from '../../protocol/mix';
import { nameInPrompt } from '../../protocol/mixPlan';
import { MIX_SEEDS } from '../../state/mix';
import { cardsToMix, drawnMix } from '../../state/mixCards';
import { saveFile } from '../download';
import { badgeText } from '../learn/Twins';
import { NumberInput } from '../learn/NumberInput';
import { FaultNote } from '../parts/FaultNote';
import { MarkedField } from '../parts/MarkedField';
import { PictureCanvas } from '../parts/PictureCanvas';
import { useUnknownWords } from '../parts/UnknownWords';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { MaskLayer } from './MaskLayer';
import { MixPad } from './MixPad';
import { MixPresets } from './MixPresets';
import { useMixConcepts } from './useMixConcepts';

const anySeed = () => crypto.getRandomValues(new Uint32Array(1))[0]! % 100_000;

export function MixPictureArea() {
  return (
    <section className="out" aria-label="Picture">
      <div className="out-inner mix-out">
        <div className="mix-top">
          <MixFigure />
          <div className="mix-side"><MixPad /><MixPresets /></div>
        </div>
        <MixPrompt />
        <MixSeeds />
      </div>
    </section>
  );
}

function MixFigure() {
  const actions = useActions();
  const picture = useStudio((state) => state.mixPicture);
  const merged = useStudio((state) => state.mixMerged);
  const sampling = useStudio((state) => state.mixSampling);
  const key = useStudio((state) => `${mixPictureKey(drawnMix(state.mix, state))} ${state.mix.seed}`);
  const ready = useStudio((state) => state.ready !== null);
  const [showMerged, setShowMerged] = useState(false);
  const shown = showMerged ? merged : picture;
  const stale = shown !== null && `${shown.mix} ${shown.seed}` !== key;
  const save = async () => {
    const file = await actions.mixPictureFile();
    if (file) saveFile(file.blob, file.name);
  };
  const compare = () => {
    setShowMerged(!showMerged);
    if (!showMerged && (merged === null || `${merged.mix} ${merged.seed}` !== key)) void actions.drawMix(true);
  };
  return (
    <figure className="twin mix-figure" data-testid={showMerged ? ids.mixMerged : ids.mixPicture} data-state={shown?.state ?? 'empty'} data-revision={shown?.revision} data-stale={stale || undefined}>
      <figcaption>
        <span className="twin-name">{showMerged ? 'As merged LoRAs' : shown?.state === 'full' ? 'Picture' : shown?.state === 'quick' ? 'First look' : 'Draft'}</span>
        <span className="note">{shown && shown.state.startsWith('draft') ? `no model call · ${Math.max(1, Math.round(shown.elapsedMs))} ms` : ''}</span>
        <button type="button" className="link" data-testid={ids.mixDrawMerged} aria-pressed={showMerged} title="The same concepts summed into one model, as other tools mix LoRAs: same seed, one prompt, no masks" onClick={compare}>{showMerged ? 'Show the mix' : 'Compare with merged LoRAs'}</button>
      </figcaption>
      <div className="frame">
        <PictureCanvas bitmap={shown?.bitmap ?? null} label={shown ? `“${shown.prompt}”, seed ${shown.seed}` : 'Nothing drawn yet'} />
        {!shown && <p className="frame-empty"><span>{ready ? 'The first draft is on its way.' : 'The base is on its way.'}</span></p>}
        {!showMerged && <MaskLayer />}
        {shown && <span className="badge">{stale ? 'Of another mix' : badgeText(shown)}</span>}
        {!showMerged && shown?.state === 'full' && !stale && <button type="button" className="frame-action" aria-label="Save this picture with its mix" title="Save with its mix" onClick={() => void save()}><Download className="icon" aria-hidden /></button>}
        {sampling && sampling.steps > 0 && <div className="sampling" role="progressbar" aria-label="Drawing" aria-valuemin={0} aria-valuemax={sampling.steps} aria-valuenow={sampling.step}><div style={{ width: `${(100 * sampling.step) / sampling.steps}%` }} /></div>}
      </div>
    </figure>
  );
}

function MixPrompt() {
  const actions = useActions();
  const { prompt, seed, steps, guidance } = useStudio((state) => state.mix);
  const concepts = useMixConcepts();
  const cards = useStudio(useShallow(cardsToMix));
  const words = useStudio((state) => state.words);
  const vocabulary = useStudio((state) => state.vocabulary);
  const ready = useStudio((state) => state.ready !== null);
  const drawing = useStudio((state) => state.mixDrawing);
  const fault = useStudio((state) => state.mixFault);
  const [more, setMore] = useState(false);
  const [said, setSaid] = useState('');
  const unknown = useUnknownWords(prompt);
  const can = ready && prompt.trim() !== '';
  const marks = [...[...concepts.values()].filter(({ kind }) => kind !== 'world'), ...cards].map(({ name }) => `[${nameInPrompt(name)}]`);
  return (
    <div className="prompt-area">
      <div className="prompt-bar">
        <MarkedField label="Prompt" hideLabel testId={ids.mixPrompt} value={prompt} onChange={(text) => actions.setMix({ prompt: text })} words={words} vocabulary={vocabulary} marks={marks} placeholder="a dog in the snow" onEnter={() => { if (can) void actions.drawMix(); }} describedBy="mix-line" />
        <div className="seed-box">
          <label htmlFor="mix-seed-input">Seed</label>
          <NumberInput id="mix-seed-input" testId={ids.mixSeed} value={seed} range={seedRange} onChange={(value) => actions.setMix({ seed: value })} onSay={setSaid} />
          <button type="button" className="bare" aria-label="Another seed" title="Another seed" onClick={() => actions.setMix({ seed: anySeed() })}><Dices className="icon" aria-hidden /></button>
        </div>
        <button type="button" className="button icon-only tall" data-testid={ids.mixMore} aria-expanded={more} aria-label="More: steps, guidance, a picture to start from" title="Steps, guidance, a picture to start from" onClick={() => setMore(!more)}><SlidersHorizontal className="icon" aria-hidden /></button>
        {drawing
          ? <button type="button" className="button tall draw" data-testid={ids.mixStop} onClick={actions.stopMix}>Stop drawing</button>
          : <button type="button" className="button tall draw primary" data-testid={ids.mixDraw} disabled={!can} onClick={() => void actions.drawMix()}>Draw</button>}
      </div>
      {more && (
        <div className="more mix-more">
          <StartPicture />
          <div className="field"><label htmlFor="mix-steps" title={stepsRange.why}>Steps, {stepsRange.min} to {stepsRange.max}</label><NumberInput id="mix-steps" testId="mix-steps" value={steps} range={stepsRange} onChange={(value) => actions.setMix({ steps: value })} onSay={setSaid} /></div>
          <div className="field"><label htmlFor="mix-guidance" title="G: the scale of all guidances together.">Guidance (CFG), {guidanceRange.min} to {guidanceRange.max}</label><NumberInput id="mix-guidance" testId="mix-guidance" value={guidance} range={guidanceRange} onChange={(value) => actions.setMix({ guidance: value })} onSay={setSaid} /></div>
        </div>
      )}
      <div className="prompt-line" id="mix-line">{fault ? <FaultNote fault={fault} action={{ label: 'Draw again', run: () => void actions.drawMix() }} /> : said !== '' ? <p className="warning" role="status">{said}</p> : unknown && <p className="warning">{unknown}</p>}</div>
    </div>
  );
}

function StartPicture() {
  const actions = useActions();
  const start = useStudio((state) => state.mix.start);
  const picker = useRef<HTMLInputElement>(null);
  return (
    <div className="field">
      <label htmlFor="mix-start-sigma" title="Image translation: the picture is noised to this σ, and drawn on from there.">Start from a picture</label>
      <div className="row">
        <input ref={picker} type="file" hidden accept="image/*" data-testid={ids.mixStartInput} aria-label="Picture to start from" onChange={(event) => { const [file] = event.target.files ?? []; if (file) void actions.setMixStart({ file, name: file.name }); event.target.value = ''; }} />
        {start
          ? <><input id="mix-start-sigma" type="range" className="weight base" min={0.05} max={1} step={0.05} value={start.sigma} aria-valuetext={`σ ${start.sigma.toFixed(2)}`} onChange={(event) => actions.setMix({ start: { ...start, sigma: Number(event.target.value) } })} /><span className="note">σ {start.sigma.toFixed(2)}: {start.sigma < 0.5 ? 'keeps most of it' : start.sigma < 0.8 ? 'keeps its places' : 'keeps its colours'}</span><button type="button" className="bare" aria-label="Start from noise again" title="Start from noise again" onClick={() => void actions.setMixStart(null)}><X className="icon" aria-hidden /></button></>
          : <button type="button" className="button small" onClick={() => picker.current?.click()}><ImagePlus className="icon" aria-hidden />Choose a picture</button>}
      </div>
    </div>
  );
}

function MixSeeds() {
  const actions = useActions();
  const pictures = useStudio((state) => state.mixSeedPictures);
  const seed = useStudio((state) => state.mix.seed);
  const shown = pictures.slice(0, MIX_SEEDS);
  return (
    <div className="strip">
      <div className="row"><h2>Seeds</h2><span className="note">same mix, drawn when nothing else is asked for</span></div>
      <ol className="strip-row">
        {shown.map((picture) => (
          <li key={picture.seed}>
            <button type="button" className="thumb" data-testid={`mix-seed-${picture.seed}`} data-current={picture.seed === seed || undefined} aria-label={`Seed ${picture.seed}`} onClick={() => { actions.setMix({ seed: picture.seed }); void actions.drawMix(); }}>
              <PictureCanvas bitmap={picture.bitmap} label="" /><span className="thumb-step">{picture.seed}</span>
            </button>
          </li>
        ))}
        {Array.from({ length: MIX_SEEDS - shown.length }, (_, n) => <li key={`empty-${n}`} className="strip-empty" aria-hidden />)}
      </ol>
    </div>
  );
}
