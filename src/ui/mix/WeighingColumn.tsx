/** Whether the guidances fight, how they are weighed against each other, and their weights over the noise levels. */
import { Switch } from 'radix-ui';
import type { Composition } from '../../protocol/mix';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { CurveEditor } from './CurveEditor';
import { Overlap } from './Overlap';

export function WeighingColumn() {
  const actions = useActions();
  const together = useStudio((state) => state.mix.composition.together);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      actions.notify('The link is copied. Whoever opens it needs the same concepts on the Shelf.');
    } catch {
      actions.notify('The browser does not let this page copy: the address bar has the link.', 'bad');
    }
  };
  return (
    <section className="column happening" aria-label="Weighing">
      <div className="column-scroll">
        <Overlap />
        <h2 className="section">Balance of all</h2>
        <Segmented label="Balance of all" value={together ? 'together' : 'hand'} onChange={(value) => actions.setComposition({ together: value === 'together' })}
          options={[{ value: 'hand', label: 'By hand', testId: ids.mixByHand }, { value: 'together', label: 'Solve together', testId: ids.mixTogether }]} />
        <p className="note mix-why">{together ? 'The weights are solved so that each concept acts as strongly as it would alone, and what several have in common counts once.' : 'Each concept acts with its own weight; what several have in common adds up.'}</p>
        <CurveEditor />
        <details className="options">
          <summary>More ways to compose</summary>
          <Flag name="orthogonal" label="Priority" why="Each guidance without what it has in common with those above it." />
          <Amount name="parallel" label="Keep colours from burning" shown={(value) => (value === 1 ? 'off' : (1 - value).toFixed(2))} value={(shown) => 1 - shown} amount={(value) => 1 - value} why="Damps what only makes the picture louder (adaptive projected guidance)." />
          <Amount name="rescale" label="Rescale" shown={(value) => (value === 0 ? 'off' : value.toFixed(2))} value={(shown) => shown} amount={(value) => value} why="Brings the contrast back to that of the prediction at scale 1." />
          <Flag name="zeroStar" label="Zero*" why="Scales the base’s own part to what the prediction says of it (CFG-Zero*): calmer first steps." />
        </details>
      </div>
      <div className="column-foot pair">
        <button type="button" className="button" data-testid={ids.mixCopy} onClick={() => void copy()}>Copy link</button>
        <button type="button" className="button" data-testid={ids.mixKeep} onClick={actions.keepMix}>Keep mix</button>
      </div>
    </section>
  );
}

type NameOf<T> = { [K in keyof Composition]: Composition[K] extends T ? K : never }[keyof Composition];

function Flag({ name, label, why }: { name: NameOf<boolean>; label: string; why: string }) {
  const actions = useActions();
  const on = useStudio((state) => state.mix.composition[name]);
  return (
    <div className="recipe-field">
      <div className="row"><label htmlFor={`mix-${name}`}>{label}</label><Switch.Root id={`mix-${name}`} className="switch" data-testid={`mix-option-${name}`} checked={on} onCheckedChange={(next) => actions.setComposition({ [name]: next })}><Switch.Thumb className="switch-thumb" /></Switch.Root></div>
      <p className="note">{why}</p>
    </div>
  );
}

function Amount({ name, label, why, shown, value, amount }: { name: NameOf<number>; label: string; why: string; shown(value: number): string; value(shown: number): number; amount(value: number): number }) {
  const actions = useActions();
  const now = useStudio((state) => state.mix.composition[name]);
  return (
    <div className="recipe-field">
      <div className="row"><label htmlFor={`mix-${name}`}>{label}</label><output className="note">{shown(now)}</output></div>
      <input id={`mix-${name}`} type="range" className="weight base" data-testid={`mix-option-${name}`} min={0} max={1} step={0.05} value={amount(now)} style={{ '--from': '0%', '--to': `${100 * amount(now)}%` } as React.CSSProperties} onChange={(event) => actions.setComposition({ [name]: Math.round(value(Number(event.target.value)) * 100) / 100 })} />
      <p className="note">{why}</p>
    </div>
  );
}
