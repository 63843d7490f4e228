/** The cards: one square a picture, in its crop; a file that could not be read keeps its card with the reason. Of a large set the first stand for all. */
import { TriangleAlert, X } from 'lucide-react';
import { SHOWN_PICTURES } from '../../protocol/limits';
import { metaOf } from '../../protocol/recipe';
import type { Card } from '../../state/pictures';
import type { Crop } from '../../protocol/pictures';
import { PictureCanvas } from '../parts/PictureCanvas';
import { useActions, useStudio } from '../studio';
import { cardId } from '../testIds';
import { DropZone } from './DropZone';

/** The crop in the pixels of the card's bitmap, which may be smaller than the picture. */
export function cropOnBitmap(card: Card): Crop | null {
  if (!card.info || !card.crop) return null;
  const scale = card.info.bitmap.width / card.info.width;
  return { x: card.crop.x * scale, y: card.crop.y * scale, size: card.crop.size * scale };
}

/** From here on cards are small, so that what stands below them stays near. */
const MANY = 20;

export function PictureGrid({ locked }: { locked: boolean }) {
  const cards = useStudio((state) => state.cards);
  const selected = useStudio((state) => state.selectedId);
  const reading = cards.slice(SHOWN_PICTURES).filter((card) => card.state === 'reading').length;
  const { most } = useStudio((state) => metaOf(state.recipe).pictures);
  return (
    <ul className={cards.length > MANY ? 'cards many' : 'cards'} aria-label="Pictures">
      {cards.slice(0, SHOWN_PICTURES).map((card, n) => (card.state === 'faulty' ? <FaultyCard key={card.pictureId} card={card} n={n} /> : <PictureCard key={card.pictureId} card={card} n={n} selected={selected === card.pictureId} locked={locked} />))}
      {cards.length > SHOWN_PICTURES && <li className="card more-cards">and {(cards.length - SHOWN_PICTURES).toLocaleString('en')} more{reading > 0 && `, ${reading.toLocaleString('en')} being read`}</li>}
      {!locked && cards.length < most && <li className="drop-more"><DropZone tile /></li>}
    </ul>
  );
}

function PictureCard({ card, n, selected, locked }: { card: Card; n: number; selected: boolean; locked: boolean }) {
  const actions = useActions();
  return (
    <li className="card" data-testid={cardId(n)} data-state={card.state}>
      <button type="button" className="card-picture" aria-pressed={selected} aria-label={`Picture ${n + 1}, ${card.name}`} onClick={() => actions.select(card.pictureId)}>
        {card.info && card.info.bitmap.width > 0 ? <PictureCanvas bitmap={card.info.bitmap} part={cropOnBitmap(card)} label="" /> : <span className="note">{card.info ? card.name : 'Reading'}</span>}
        {card.fit?.outside && <span className="card-flag" title="Outside what the base can draw"><TriangleAlert className="icon" aria-label="Outside what the base can draw" /></span>}
      </button>
      {!locked && <RemoveButton card={card} n={n} />}
    </li>
  );
}

function FaultyCard({ card, n }: { card: Card; n: number }) {
  return (
    <li className="card faulty" data-testid={cardId(n)} data-state={card.state} data-code={card.fault?.code}>
      <TriangleAlert className="icon" aria-hidden />
      <p role="alert" data-testid={`card-error-${n}`}>
        {!card.fault?.message.includes(card.name) && <b>{card.name} </b>}{card.fault?.message} <span className="muted">{card.fault?.remedy}</span>
      </p>
      <RemoveButton card={card} n={n} />
    </li>
  );
}

function RemoveButton({ card, n }: { card: Card; n: number }) {
  const actions = useActions();
  return (
    <button type="button" className="card-remove" data-testid={`card-remove-${n}`} aria-label={`Remove ${card.name}`} onClick={() => actions.removeCard(card.pictureId)}><X className="icon" aria-hidden /></button>
  );
}
