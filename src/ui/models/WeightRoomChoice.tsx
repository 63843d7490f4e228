/** How much of the device's memory a large model's weights may take. */
import { ROOM_CHOICES, type RoomChoice } from '../../state/models';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';

/** Smaller models lie on the device as a whole, and know one size of pictures. */
export const LARGE_BYTES = 400e6;

const nameOf = (room: RoomChoice) => (room === 'all' ? 'all of them' : room === 'fits' ? 'what fits' : `${room} GB`);

export function WeightRoomChoice() {
  const actions = useActions();
  const room = useStudio((state) => state.roomChoice);
  const memory = useStudio((state) => state.adapterMemory);
  return (
    <section aria-label="Weights on the device">
      <div className="row table-head"><h2>Weights on the device at once</h2><span className="note">{room === 'fits' ? `As many as ${memory} GB leave beside the work. ` : ''}The rest is fetched while it computes: less memory, more time.</span></div>
      <Segmented label="Weights on the device at once" value={nameOf(room)} options={ROOM_CHOICES.map((each) => ({ value: nameOf(each), label: nameOf(each), testId: `weight-room-${each}` }))}
        onChange={(name) => { const chosen = ROOM_CHOICES.find((each) => nameOf(each) === name); if (chosen !== undefined) actions.setRoomChoice(chosen); }} />
    </section>
  );
}
