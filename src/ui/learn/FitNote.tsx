/** The selected picture beside what the base's autoencoder makes of it, and a plain word where it does not fit. */
import type { ReactNode } from 'react';
import type { Card } from '../../state/pictures';
import { PictureCanvas } from '../parts/PictureCanvas';
import { FaultNote } from '../parts/FaultNote';
import { usesEmbedded } from '../../state/models';
import { useStudio } from '../studio';
import { ids } from '../testIds';
import { cropOnBitmap } from './PictureGrid';

export function FitNote({ card, children }: { card: Card; children?: ReactNode }) {
  const ready = useStudio((state) => state.ready !== null);
  const embedded = useStudio(usesEmbedded);
  const said = card.fit
    ? !embedded ? 'What the model’s autoencoder keeps of it.'
    : card.fit.outside ? 'It learns the right-hand picture, not the left.' : 'The base can draw this.'
    : ready ? 'Looking through the base’s eyes.' : 'Checked once the base is in.';
  return (
    <div className="fit" data-testid={ids.fitCheck} data-outside={card.fit ? String(card.fit.outside) : undefined}>
      <figure><PictureCanvas bitmap={card.info?.bitmap ?? null} part={cropOnBitmap(card)} label="Your picture" /><figcaption>yours</figcaption></figure>
      <figure><PictureCanvas bitmap={card.fit?.bitmap ?? null} label="The picture as the base sees it" /><figcaption>base’s view</figcaption></figure>
      <div>
        <p className={card.fit?.outside ? 'warning' : 'note'} data-testid={card.fit?.outside ? ids.fitWarning : undefined} title={card.fit ? `PSNR ${card.fit.psnr.toFixed(1)} dB` : undefined}>{said}</p>
        {children}
      </div>
      <FaultNote fault={card.fault} />
    </div>
  );
}
