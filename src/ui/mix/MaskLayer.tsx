/** Masks over the picture: where the chosen guidance acts, and the brush where it is painted. Shift or the right button erases. */
import { useLayoutEffect, useRef, useState, type PointerEvent } from 'react';
import { maskCells, type Mask } from '../../protocol/mix';
import { useActions, useStudio } from '../studio';

const GRID = 64;
/** Cells that a stroke covers around its middle, and how full they get. */
const BRUSH = 1.6;

function strokeOn(mask: Extract<Mask, { kind: 'painted' }>, u: number, w: number, erase: boolean): Mask {
  const { side, cells } = mask;
  const next = [...cells].map((cell, i) => {
    const [x, y] = [i % side, Math.floor(i / side)];
    const away = Math.hypot(x + 0.5 - u * side, y + 0.5 - w * side);
    const reach = Math.max(0, Math.min(1, BRUSH + 0.5 - away));
    if (reach === 0) return cell;
    const before = Number.parseInt(cell, 16);
    return Math.round(erase ? before * (1 - reach) : Math.max(before, 15 * reach)).toString(16);
  });
  return { ...mask, cells: next.join('') };
}

export function MaskLayer() {
  const actions = useActions();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [over, setOver] = useState(false);
  const selected = useStudio((state) => state.mix.guidances.find(({ id }) => id === state.mixSelected) ?? null);
  const mask = selected?.mask ?? null;
  const painted = mask?.kind === 'painted';
  const concept = selected !== null && selected.source.kind !== 'text';
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    context.clearRect(0, 0, GRID, GRID);
    const cells = mask && maskCells(mask, GRID, GRID);
    if (!cells) return;
    const image = context.createImageData(GRID, GRID);
    const [r, g, b] = concept ? [255, 178, 86] : [125, 179, 240];
    // a light tint where it acts, strongest along its soft edge
    cells.forEach((value, i) => image.data.set([r!, g!, b!, Math.round(120 * Math.min(value, 1 - value) * 2 + 26 * value)], 4 * i));
    context.putImageData(image, 0, 0);
  }, [mask, concept]);
  if (!selected || !mask || mask.kind === 'everywhere') return null;
  const paint = (event: PointerEvent<HTMLCanvasElement>) => {
    if (!painted || (event.type === 'pointermove' && event.buttons === 0)) return;
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    event.currentTarget.setPointerCapture(event.pointerId);
    actions.setGuidance(selected.id, { mask: strokeOn(mask, (event.clientX - left) / width, (event.clientY - top) / height, event.shiftKey || (event.buttons & 2) !== 0) });
  };
  return (
    <>
      <canvas ref={canvas} className="mask-layer" data-testid="mix-mask-layer" data-painting={painted || undefined} data-over={over || undefined} width={GRID} height={GRID} aria-hidden
        onPointerDown={paint} onPointerMove={paint} onPointerEnter={() => setOver(true)} onPointerLeave={() => setOver(false)} onContextMenu={(event) => { if (painted) event.preventDefault(); }} />
      {painted && <p className="mask-hint note">Paint where it acts; with Shift, take away. <button type="button" className="link" onClick={() => actions.setGuidance(selected.id, { mask: { kind: 'everywhere' } })}>everywhere</button></p>}
    </>
  );
}
