/** How a face is seen: faithful to it or leaving more to the style of the words, and from which step on. */
import { useState } from 'react';
import { startStepRange, type Seeing } from '../../../protocol/objects';
import { Segmented } from '../../parts/Segmented';
import { useActions, useStudio } from '../../studio';
import { ids } from '../../testIds';
import { NumberInput } from '../NumberInput';

const LOOKS: { value: Seeing['look']; label: string; testId: string; why: string }[] = [
  { value: 'faithful', label: 'Faithful', testId: 'look-faithful', why: 'Adds of the face what the words don’t draw already, the more the less it is looked at (ortho_v2, 8 zero tokens).' },
  { value: 'plain', label: 'Plain', testId: 'look-plain', why: 'The face as the adapter was trained.' },
  { value: 'style', label: 'Style', testId: 'look-style', why: 'Leaves more to the words’ style: adds only what they don’t draw (ortho, 16 zero tokens).' },
];

const range = { ...startStepRange, step: 1, label: 'start step' };

export function FaceSeeing() {
  const actions = useActions();
  const [said, setSaid] = useState('');
  const { look, startStep } = useStudio((state) => state.seeing);
  return (
    <div className="face-seeing">
      <Segmented label="Between face and style" value={look} onChange={(next) => actions.setSeeing({ look: next })} options={LOOKS} />
      <p className="note">{said || LOOKS.find(({ value }) => value === look)!.why}</p>
      <label htmlFor="start-step" title="The first steps settle the layout; without the face they keep the words’. PuLID draws photographs from step 4, drawings from 0 or 1.">Seen from step</label>
      <NumberInput id="start-step" testId={ids.startStep} value={startStep} range={range} onChange={(value) => actions.setSeeing({ startStep: value })} onSay={setSaid} />
    </div>
  );
}
