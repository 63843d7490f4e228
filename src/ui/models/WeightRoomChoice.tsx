/** How much of the device's memory a large model's weights may take. */
import { WEIGHT_ROOMS } from '../../state/models';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';

/** Smaller models lie on the device as a whole, and know one size of pictures. */
export const LARGE_BYTES = 400e6;

const nameOf = (room: number | null) => (room === null ? 'all of them' : `${room} GB`);

export function WeightRoomChoice() {
  const actions = useActions();
  const room = useStudio((state) => state.weightRoom);
  return (
    <section aria-label="Weights on the device">
      <div className="row table-head"><h2>Weights on the device at once</h2><span className="note">The rest is fetched from storage while it computes: less memory, more time.</span></div>
      <Segmented label="Weights on the device at once" value={nameOf(room)} options={WEIGHT_ROOMS.map((each) => ({ value: nameOf(each), label: nameOf(each), testId: `weight-room-${each ?? 'all'}` }))}
        onChange={(name) => { const chosen = WEIGHT_ROOMS.find((each) => nameOf(each) === name); if (chosen !== undefined) actions.setWeightRoom(chosen); }} />
    </section>
  );
}
