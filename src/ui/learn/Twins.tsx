/** The same prompt and seed twice: the untouched base, and with the concept at the present balance. B lays one over the other. */
import { Download } from 'lucide-react';
import type { PictureEvent } from '../../protocol/pictures';
import { isLive } from '../../state/drawing';
import { elapsed, inSentence } from '../format';
import { saveFile } from '../download';
import { PictureCanvas } from '../parts/PictureCanvas';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { shownConcept } from './shownConcept';
import { useBlink } from './useBlink';

/** How finished a picture is, in words. */
export function badgeText(picture: PictureEvent): string {
  if (picture.state === 'full') return `${picture.steps} steps · ${elapsed(picture.elapsedMs)}`;
  return picture.state === 'partial' ? `${picture.step} of ${picture.steps} steps` : 'draft';
}

export function Twins() {
  const base = useStudio((state) => state.twins.base);
  const concept = useStudio(shownConcept);
  const name = useStudio((state) => state.conceptName);
  const seed = useStudio((state) => state.seed);
  const pinned = useStudio((state) => state.pinnedStep);
  const live = useStudio(isLive);
  const ready = useStudio((state) => state.ready !== null);
  const blinked = useBlink();
  const shown = blinked ? base : concept;
  return (
    <div className="twins">
      <Twin side="base" name="Base" note="untouched model" picture={base} empty={ready ? 'Draw to see what the base makes of the prompt.' : 'The base is on its way.'} />
      <Twin side={blinked ? 'base' : 'concept'} holder="concept" name={blinked ? 'Base' : `With ${name === '' ? 'your concept' : inSentence(name)}`}
        note={blinked ? 'blinking: press B' : pinned === null ? `same seed · ${seed}` : `at step ${pinned}`} picture={shown} empty={live ? 'Draw, or move the balance.' : 'Comes alive at step 25 of learning.'} />
    </div>
  );
}

interface TwinProps { side: 'base' | 'concept'; holder?: 'concept'; name: string; note: string; picture: PictureEvent | null; empty: string }

function Twin({ side, holder = undefined, name, note, picture, empty }: TwinProps) {
  const place = holder ?? side;
  return (
    <figure className="twin" data-testid={place === 'base' ? ids.twinBase : ids.twinConcept} data-state={picture?.state ?? 'empty'} data-revision={picture?.revision}>
      <figcaption><span className={`twin-name ${side}`}>{name}</span><span className="note">{note}</span></figcaption>
      <div className="frame">
        <PictureCanvas bitmap={picture?.bitmap ?? null} label={picture ? picture.prompt === '' ? `${name}: draft` : `${name}: “${picture.prompt}”, seed ${picture.seed}` : `${name}: nothing drawn yet`} />
        {!picture && <p className="frame-empty">{empty}</p>}
        {picture && <span className="badge" data-testid={place === 'base' ? ids.badgeBase : ids.badgeConcept}>{badgeText(picture)}</span>}
        {place === 'concept' && picture?.slot.kind === 'concept' && picture.state === 'full' && <SavePicture />}
        {place === 'concept' && <SamplingLine />}
      </div>
    </figure>
  );
}

function SamplingLine() {
  const sampling = useStudio((state) => state.sampling);
  if (!sampling || sampling.steps === 0) return null;
  return <div className="sampling" role="progressbar" aria-label="Drawing" aria-valuemin={0} aria-valuemax={sampling.steps} aria-valuenow={sampling.step}><div style={{ width: `${(100 * sampling.step) / sampling.steps}%` }} /></div>;
}

function SavePicture() {
  const actions = useActions();
  const save = async () => {
    const file = await actions.pictureFile();
    if (file) saveFile(file.blob, file.name);
  };
  return <button type="button" className="frame-action" data-testid={ids.savePicture} aria-label="Save this picture with its parameters" title="Save with its parameters" onClick={() => void save()}><Download className="icon" aria-hidden /></button>;
}
