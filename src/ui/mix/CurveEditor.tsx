/** Every guidance's weight over the noise levels, and the chosen one's curve to be drawn: points are dragged, or moved by arrow keys. */
import { useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { scheduleAt, type MixGuidance, type Schedule } from '../../protocol/mix';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

const WIDTH = 280, HEIGHT = 110;
/** Factors reach from −2 to 2; below 0 is shown once a curve goes there. */
const RANGE = 2;
const MARGIN = 8;
const SAMPLES = 140;
const across = (sigma: number) => MARGIN + (1 - sigma) * (WIDTH - 2 * MARGIN);
const sigmaAt = (x: number) => 1 - (x - MARGIN) / (WIDTH - 2 * MARGIN);
const values = (schedule: Schedule): number[] => Array.from({ length: SAMPLES + 1 }, (_, i) => scheduleAt(schedule, 1 - i / SAMPLES));

export function CurveEditor() {
  const actions = useActions();
  const box = useRef<SVGSVGElement>(null);
  const dragged = useRef<number | null>(null);
  const guidances = useStudio((state) => state.mix.guidances);
  const selectedId = useStudio((state) => state.mixSelected);
  const selected = guidances.find(({ id }) => id === selectedId);
  const curve = selected?.schedule.kind === 'curve' ? selected.schedule : null;
  const low = guidances.some(({ schedule }) => values(schedule).some((value) => value < 0)) ? -RANGE : 0;
  const down = (factor: number) => HEIGHT - MARGIN - ((factor - low) / (RANGE - low)) * (HEIGHT - 2 * MARGIN);
  const factorAt = (y: number) => low + ((HEIGHT - MARGIN - y) / (HEIGHT - 2 * MARGIN)) * (RANGE - low);
  const path = (schedule: Schedule) => values(schedule).map((value, i) => `${i === 0 ? 'M' : 'L'}${across(1 - i / SAMPLES).toFixed(1)} ${down(value).toFixed(1)}`).join('');
  const move = (n: number, sigma: number, factor: number) => {
    if (!selected || !curve) return;
    const above = curve.points[n - 1]?.sigma ?? 1, below = curve.points[n + 1]?.sigma ?? 0;
    const ends = n === 0 ? 1 : n === curve.points.length - 1 ? 0 : Math.min(above, Math.max(below, sigma));
    const points = curve.points.map((point, i) => (i === n ? { sigma: Math.round(ends * 100) / 100, factor: Math.round(Math.min(RANGE, Math.max(-RANGE, factor)) * 100) / 100 } : point));
    actions.setGuidance(selected.id, { schedule: { kind: 'curve', points } });
  };
  const drag = (event: PointerEvent<SVGSVGElement>) => {
    if (dragged.current === null || !box.current) return;
    const { left, top, width, height } = box.current.getBoundingClientRect();
    move(dragged.current, sigmaAt(((event.clientX - left) / width) * WIDTH), factorAt(((event.clientY - top) / height) * HEIGHT));
  };
  const onKeyDown = (n: number) => (event: KeyboardEvent) => {
    const by = { ArrowLeft: [0.05, 0], ArrowRight: [-0.05, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (!by || !curve) return;
    event.preventDefault();
    move(n, curve.points[n]!.sigma + by[0]!, curve.points[n]!.factor + by[1]!);
  };
  const tone = ({ source }: MixGuidance) => (source.kind === 'text' ? 'base' : 'concept');
  return (
    <div className="curves">
      <div className="row section"><h2>Weight over noise</h2><span className="note">{curve ? 'drag its points' : 'factor on each weight'}</span></div>
      <svg ref={box} data-testid={ids.mixCurve} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label="Weight over noise" onPointerMove={drag} onPointerUp={() => { dragged.current = null; }} onPointerLeave={() => { dragged.current = null; }}>
        <line className="zero" x1={0} x2={WIDTH} y1={down(0)} y2={down(0)} />
        <line className="one" x1={0} x2={WIDTH} y1={down(1)} y2={down(1)} />
        {guidances.filter(({ id }) => id !== selectedId).map((each) => <path key={each.id} className={`curve ${tone(each)} faint`} d={path(each.schedule)} />)}
        {selected && <path className={`curve ${tone(selected)}`} d={path(selected.schedule)} />}
        {curve?.points.map((point, n) => (
          <g key={n} transform={`translate(${across(point.sigma)} ${down(point.factor)})`} tabIndex={0} role="slider" aria-label={`Point ${n + 1}`} aria-valuenow={point.factor} aria-valuemin={-RANGE} aria-valuemax={RANGE} aria-valuetext={`σ ${point.sigma}, factor ${point.factor}`}
            onPointerDown={(event) => { dragged.current = n; event.currentTarget.setPointerCapture(event.pointerId); }} onPointerMove={(event) => drag(event as unknown as PointerEvent<SVGSVGElement>)} onKeyDown={onKeyDown(n)}>
            <circle className="reach" r={22} />
            <circle className={`point ${tone(selected!)}`} r={6} />
          </g>
        ))}
      </svg>
      <div className="row note"><span>σ = 1, first</span><span>σ = 0, last</span></div>
    </div>
  );
}
