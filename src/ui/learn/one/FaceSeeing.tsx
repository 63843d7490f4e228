/** How a face is seen: faithful to it or leaving more to the style of the words, and from which step on; two people mixed. */
import { useState } from 'react';
import { shareRange, startStepRange, type Seeing } from '../../../protocol/objects';
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
  const two = useStudio((state) => state.object?.kind === 'identity' && state.object.references === 2);
  return (
    <div className="face-seeing">
      {two && <TwoFaces />}
      <Segmented label="Between face and style" value={look} onChange={(next) => actions.setSeeing({ look: next })} options={LOOKS} />
      <p className="note">{said || LOOKS.find(({ value }) => value === look)!.why}</p>
      <label htmlFor="start-step" title="The first steps settle the layout; without the face they keep the words’. PuLID draws photographs from step 4, drawings from 0 or 1.">Seen from step</label>
      <NumberInput id="start-step" testId={ids.startStep} value={startStep} range={range} onChange={(value) => actions.setSeeing({ startStep: value })} onSay={setSaid} />
    </div>
  );
}

const WHO: { value: 'one' | 'two'; label: string; testId: string }[] = [{ value: 'one', label: 'One person', testId: 'faces-one' }, { value: 'two', label: 'Two, mixed', testId: 'faces-two' }];

/** Two pictures may be of one person, or of two who are mixed. */
function TwoFaces() {
  const actions = useActions();
  const share = useStudio((state) => state.seeing.share);
  const { min, max, step, start } = shareRange;
  return (
    <>
      <Segmented label="Who is in the two pictures" value={share === null ? 'one' : 'two'} onChange={(who) => actions.setSeeing({ share: who === 'one' ? null : start })} options={WHO} />
      {share === null
        ? <p className="note wide">Both pictures say who it is.</p>
        : (
          <div className="share wide">
            <input type="range" className="weight concept" data-testid={ids.faceShare} aria-label="How much of the second person" aria-valuetext={`${Math.round(100 * share)} % of the second`} min={min} max={max} step={step} value={share}
              style={{ '--from': '0%', '--to': `${100 * share}%` } as React.CSSProperties} onChange={(event) => actions.setSeeing({ share: Number(event.target.value) })} />
            <span className="note">{Math.round(100 * (1 - share))} % first · {Math.round(100 * share)} % second</span>
          </div>
        )}
    </>
  );
}
