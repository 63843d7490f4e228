/** A bitmap on a canvas in its own pixels; the style sheet scales it smoothly. The canvas keeps its picture until the next one is there. */
import { useLayoutEffect, useRef } from 'react';
import type { Crop } from '../../protocol/pictures';

interface Props {
  bitmap: ImageBitmap | null;
  /** Empty where the picture is named by what it stands in. */
  label: string;
  /** Part to show, in the bitmap's own pixels; all of it without. */
  part?: Crop | null;
}

export function PictureCanvas({ bitmap, label, part }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { x, y, size } = part ?? { x: 0, y: 0, size: 0 };
  useLayoutEffect(() => {
    const target = canvas.current;
    const context = target?.getContext('2d');
    if (!target || !context) return;
    if (!bitmap || bitmap.width === 0) {
      context.clearRect(0, 0, target.width, target.height);
      return;
    }
    const [width, height] = size > 0 ? [Math.round(size), Math.round(size)] : [bitmap.width, bitmap.height];
    if (target.width !== width || target.height !== height) Object.assign(target, { width, height });
    if (size > 0) context.drawImage(bitmap, x, y, size, size, 0, 0, width, height);
    else context.drawImage(bitmap, 0, 0);
  }, [bitmap, x, y, size]);
  return <canvas ref={canvas} className="picture" {...(label === '' ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })} />;
}
