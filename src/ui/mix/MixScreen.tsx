/** Mix: several guidances in one picture. Left what pulls, in the middle what comes of it, right whether they fight and how they are weighed. */
import { useEffect } from 'react';
import { useStudio } from '../studio';
import { GuidanceColumn } from './GuidanceColumn';
import { MixPictureArea } from './MixPictureArea';
import { WeighingColumn } from './WeighingColumn';

export function MixScreen() {
  const enter = useStudio((state) => state.enterMix);
  const leave = useStudio((state) => state.leaveMix);
  const shelf = useStudio((state) => state.concepts.length);
  const cards = useStudio((state) => state.objectCards);
  useEffect(() => leave, [leave]);
  // until the user changes something the mix follows the Shelf
  useEffect(() => enter(), [enter, shelf, cards]);
  return (
    <div className="learn mix">
      <h1 className="visually-hidden">Mix</h1>
      <GuidanceColumn />
      <MixPictureArea />
      <WeighingColumn />
    </div>
  );
}
