/** The picture with what is looked at: everything outside the mask is dimmed. With the brush in hand it is painted, with Shift or the right button erased. */
import { useLayoutEffect, useRef, useState, type PointerEvent } from 'react';
import type { Place } from '../../../protocol/objectMasks';
import { problemOf, sightOf } from '../../../state/objects';
import type { Card } from '../../../state/pictures';
import { PictureCanvas } from '../../parts/PictureCanvas';
import { useActions, useStudio } from '../../studio';
import { ids } from '../../testIds';
import { cropOnBitmap } from '../PictureGrid';
import { Heads } from './Heads';

/** What lies over the background: dark enough that the object stands out in both themes. */
const VEIL = [15, 15, 16, 165] as const;

export function MaskPicture({ card, tool }: { card: Card; tool: 'none' | 'paint' | 'erase' }) {
  const actions = useActions();
  const known = useStudio((state) => state.masks[card.pictureId] ?? null);
  const finding = useStudio((state) => state.objectWork === 'finding');
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<Place | null>(null);
  const [touched, setTouched] = useState(false);
  const mask = known?.mask ?? null;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context || !mask) return;
    const image = context.createImageData(mask.side, mask.side);
    mask.cells.forEach((cell, i) => { if (cell === 0) image.data.set(VEIL, 4 * i); });
    context.putImageData(image, 0, 0);
  }, [mask]);
  const painting = tool !== 'none';
  const paint = (event: PointerEvent<HTMLCanvasElement>) => {
    if (!painting || (event.type === 'pointermove' && event.buttons === 0)) return;
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    const place = { u: (event.clientX - left) / width, w: (event.clientY - top) / height };
    if (event.type === 'pointerdown') event.currentTarget.setPointerCapture(event.pointerId);
    const from = event.type === 'pointerdown' ? null : last.current;
    last.current = place;
    setTouched(true);
    actions.brushMask(card.pictureId, from, place, tool === 'erase' || event.shiftKey || (event.buttons & 2) !== 0);
  };
  const face = useStudio((state) => sightOf(state) === 'identity');
  const problem = known && problemOf(known, face ? 'identity' : 'object');
  const said = finding && !known ? `looking for ${face ? 'the head' : 'the object'}` : !known ? '' : problem && !touched ? '' : face ? (known.heads?.all.includes(known.heads.chosen!) ? 'head found here' : 'your frame') : known.found ? 'mask found here' : 'your mask';
  return (
    <div className="frame mask-picture" data-testid={ids.maskPicture} data-found={known?.found} data-fault={problem?.code}>
      {card.info ? <PictureCanvas bitmap={card.info.bitmap} part={cropOnBitmap(card)} label={`${card.name}, what is dark is not looked at`} /> : <p className="frame-empty"><span>Reading</span></p>}
      <canvas ref={canvas} className="mask-veil" data-painting={painting || undefined} width={mask?.side ?? 1} height={mask?.side ?? 1} aria-hidden
        onPointerDown={paint} onPointerMove={paint} onPointerUp={() => { last.current = null; }} onContextMenu={(event) => { if (painting) event.preventDefault(); }} />
      {face && !painting && <Heads card={card} />}
      {said !== '' && <span className="badge">{said}</span>}
    </div>
  );
}
