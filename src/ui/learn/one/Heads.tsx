/** Heads in a picture of somebody: the one that is drawn by is framed; where several stand out, or it is not sure that one is a head, each can be chosen. */
import { useState } from 'react';
import type { Square } from '../../../protocol/objects';
import { sameHead } from '../../../state/objects';
import type { Card } from '../../../state/pictures';
import { useActions, useStudio } from '../../studio';
import { ids } from '../../testIds';
import { SquareDialog } from '../CropDialog';

const percent = (share: number): string => `${100 * share}%`;
const placed = ({ left, top, side }: Square) => ({ left: percent(left), top: percent(top), width: percent(side), height: percent(side) });

/** Where nothing was found the frame begins in the upper middle. */
const FIRST: Square = { left: 0.3, top: 0.1, side: 0.4 };

export function Heads({ card }: { card: Card }) {
  const actions = useActions();
  const heads = useStudio((state) => state.masks[card.pictureId]?.heads ?? null);
  if (!heads) return null;
  const { all, chosen } = heads;
  return (
    <>
      {chosen && <div className="head-frame" style={placed(chosen)} data-testid={ids.headFrame} aria-hidden />}
      {(all.length > 1 || !chosen) && all.map((head, n) => !sameHead(head, chosen) && (
        <button key={n} type="button" className="head-choice" data-testid={`head-${n}`} style={placed(head)} aria-label={`Head ${n + 1} of ${all.length}`} onClick={() => actions.chooseHead(card.pictureId, head)}><span className="badge">{n + 1}</span></button>
      ))}
    </>
  );
}

/** Moves and resizes the frame by hand. */
export function FrameButton({ card }: { card: Card }) {
  const actions = useActions();
  const heads = useStudio((state) => state.masks[card.pictureId]?.heads ?? null);
  const [open, setOpen] = useState(false);
  const { crop } = card;
  const head = heads?.chosen ?? heads?.all[0] ?? FIRST;
  return (
    <>
      <button type="button" className="button" data-testid={ids.headMove} disabled={!heads || !crop} title="Say where the head is" onClick={() => setOpen(true)}>Frame</button>
      {open && crop && (
        <SquareDialog card={card} title="Frame the head" label="Where the head is" deed="This is the head" onClose={() => setOpen(false)}
          start={{ x: crop.x + head.left * crop.size, y: crop.y + head.top * crop.size, size: head.side * crop.size }}
          onUse={({ x, y, size }) => actions.chooseHead(card.pictureId, { left: (x - crop.x) / crop.size, top: (y - crop.y) / crop.size, side: size / crop.size })} />
      )}
    </>
  );
}
