/** What is not the same in the twins, laid over the second: bright where they differ, dark where they don't. */
import { Flame } from 'lucide-react';
import { useLayoutEffect, useRef, useState } from 'react';
import type { PictureEvent } from '../../protocol/pictures';
import { ids } from '../testIds';
import { heatOf } from './heat';

const pixelsOf = (bitmap: ImageBitmap): Uint8ClampedArray | null => {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
  context?.drawImage(bitmap, 0, 0);
  return context?.getImageData(0, 0, bitmap.width, bitmap.height).data ?? null;
};

/** Of two full pictures of one size. */
export function HeatMap({ base, concept }: { base: PictureEvent; concept: PictureEvent }) {
  const [shown, setShown] = useState(false);
  const [changed, setChanged] = useState(0);
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!shown || !context || base.bitmap.width === 0 || concept.bitmap.width === 0) return;
    const [without, withIt] = [pixelsOf(base.bitmap), pixelsOf(concept.bitmap)];
    if (!without || !withIt) return;
    const { width, height } = concept.bitmap;
    Object.assign(context.canvas, { width, height });
    const heat = heatOf(without, withIt);
    context.putImageData(new ImageData(heat.pixels, width, height), 0, 0);
    setChanged(heat.changed);
  }, [shown, base.bitmap, concept.bitmap]);
  return (
    <>
      {shown && <canvas ref={canvas} className="heat" role="img" aria-label={`Differs from the base in ${Math.round(100 * changed)} % of the picture`} />}
      {shown && <span className="badge heat-said" data-testid={ids.heatShare}>{Math.round(100 * changed)} % differs</span>}
      <button type="button" className="frame-action heat-action" data-testid={ids.heat} aria-pressed={shown} aria-label="Show what differs from the base" title="What differs from the base" onClick={() => setShown(!shown)}><Flame className="icon" aria-hidden /></button>
    </>
  );
}
