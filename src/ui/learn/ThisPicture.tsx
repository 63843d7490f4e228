/** Captions, crop and fit check of the selected picture. */
import { useState } from 'react';
import { metaOf } from '../../protocol/recipe';
import { useStudio } from '../studio';
import { CaptionFields } from './CaptionFields';
import { CropDialog } from './CropDialog';
import { FitNote } from './FitNote';

export function ThisPicture({ locked }: { locked: boolean }) {
  const cards = useStudio((state) => state.cards);
  const selectedId = useStudio((state) => state.selectedId);
  const { captioned } = useStudio((state) => metaOf(state.run?.recipe ?? state.recipe).pictures);
  const [cropping, setCropping] = useState(false);
  const at = cards.findIndex((card) => card.pictureId === selectedId);
  const card = cards[at];
  if (!card || card.state !== 'ready') return null;
  return (
    <>
      <div className="row section">
        <h2>This picture</h2>
        <span className="note">{at + 1} of {cards.length}</span>
      </div>
      {captioned && <CaptionFields card={card} locked={locked} />}
      <FitNote card={card}>
        {!locked && <button type="button" className="button small" data-testid={`crop-${at}`} onClick={() => setCropping(true)}>Crop</button>}
      </FitNote>
      {cropping && <CropDialog card={card} onClose={() => setCropping(false)} />}
    </>
  );
}
