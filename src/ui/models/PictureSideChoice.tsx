/** The size of the pictures that an imported model draws and learns from. */
import { PICTURE_SIDES, type ModelSummary } from '../../protocol/models';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { LARGE_BYTES } from './WeightRoomChoice';

export function PictureSideChoice({ model: { modelId, pictureSide, storedBytes } }: { model: ModelSummary }) {
  const { setPictureSide } = useActions();
  const used = useStudio((state) => state.ready?.base === modelId);
  if (pictureSide === null || storedBytes < LARGE_BYTES) return null;
  return (
    <section aria-label="Pictures" data-testid={ids.modelSide}>
      <div className="row table-head"><h2>Pictures</h2><span className="note">{used ? 'a change loads the model anew' : 'holds from the next time it is opened'}</span></div>
      <Segmented label="Side of its pictures" value={String(pictureSide)} onChange={(side) => void setPictureSide(modelId, Number(side))} options={PICTURE_SIDES.map((side) => ({ value: String(side), label: `${side} px`, testId: `side-${side}` }))} />
    </section>
  );
}
