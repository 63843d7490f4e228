/** The same prompt and seed twice: the untouched base, and with the concept at the present balance. B lays one over the other. */
import { needsClassWord } from '../../protocol/captions';
import type { PictureEvent } from '../../protocol/pictures';
import { wordsOf } from '../../protocol/recipe';
import { isLive } from '../../state/drawing';
import { secondsUntil } from '../../state/pace';
import { isObject, isOnePicture, sightOf } from '../../state/objects';
import { FIRST_LIVE_STEP } from '../../protocol/limits';
import { isMoving } from '../../protocol/run';
import { differences } from '../../state/twins';
import type { StudioState } from '../../state/slice';
import { elapsed, inSentence, roughly } from '../format';
import { PictureCanvas } from '../parts/PictureCanvas';
import { useStudio } from '../studio';
import { ids } from '../testIds';
import { HeatMap } from './HeatMap';
import { cropOnBitmap } from './PictureGrid';
import { SamplingLine, SavePicture } from './PictureExtras';
import { shownBase, shownConcept, staleness } from './shownConcept';
import { useBlink } from './useBlink';

/** The picture's own size, how finished it is, and of which step of learning where steps have been made since. */
export function badgeText(picture: PictureEvent, learned: number | null = null): string {
  const older = picture.slot.kind === 'concept' && picture.atStep !== null && learned !== null && picture.atStep < learned ? ` · learned to step ${picture.atStep}` : '';
  const size = picture.bitmap.width > 0 ? `${picture.bitmap.width} px · ` : '';
  if (picture.state === 'full') return `${size}${picture.steps} steps · ${elapsed(picture.elapsedMs)}${older}`;
  if (picture.state === 'quick') return `${size}first look`;
  return picture.state === 'partial' ? `${size}${picture.step} of ${picture.steps} steps` : `${size}draft`;
}

/** What stands in the base's frame before it has drawn. */
function baseNote(state: StudioState): string {
  const { ready, prompt, cards, recipe, objectWork } = state;
  if (!ready) return 'The base is on its way.';
  if (prompt.trim() !== '') return 'Draw to see what the base makes of the prompt.';
  if (objectWork !== null) return 'The base draws along with the first picture.';
  return cards.length > 0 && needsClassWord(recipe.kind) && wordsOf(recipe).classWord.trim() === '' ? 'Give the class word, and the base draws.' : 'Write a prompt to see what the base makes of it.';
}

/** What stands in the concept's frame before there is a picture of it. */
function conceptNote(state: StudioState): string {
  const { run, opened, cards, objectWork } = state;
  if (isLive(state)) return isObject(state) ? 'Draw, or move the slider.' : 'Draw, or move the balance.';
  if (isOnePicture(state)) return objectWork === null ? (sightOf(state) === 'identity' ? 'It is drawn once a head is framed.' : 'It is drawn once there is a mask.') : 'The first picture is on its way.';
  if (!run && !opened && cards.length === 0) return 'Drop pictures to learn from.';
  const step = Math.min(FIRST_LIVE_STEP, run?.totalSteps ?? FIRST_LIVE_STEP);
  const seconds = run && !isMoving(run) ? null : secondsUntil(step, state);
  const when = seconds === null ? '' : run ? `, in about ${roughly(seconds)}` : `, about ${roughly(seconds)} after the start`;
  return `The first picture comes at step ${step}${when}.`;
}

/** What stands over the concept's frame. */
function conceptTwinName(state: StudioState): string {
  const { object, card, conceptName } = state;
  if (sightOf(state) === 'identity' && !card && !state.run && !state.opened) return object && object.references > 1 ? `From your ${object.references} faces` : 'From your one face';
  if (isOnePicture(state) && !card) return 'From your one picture';
  if (isObject(state) && object) return object.references === 1 ? 'From one picture' : `From your ${object.references} pictures`;
  return `With ${conceptName === '' ? 'your concept' : inSentence(conceptName)}`;
}

export function Twins() {
  const base = useStudio(shownBase);
  const concept = useStudio(shownConcept);
  const name = useStudio(conceptTwinName);
  const seed = useStudio((state) => state.seed);
  const pinned = useStudio((state) => state.pinnedStep);
  const baseSaid = useStudio(baseNote);
  const note = useStudio(conceptNote);
  const trained = useStudio((state) => !isObject(state));
  const blinked = useBlink();
  const shown = blinked ? base : concept;
  return (
    <div className="twins">
      <Twin side="base" name="Base" note="untouched model" picture={base} empty={baseSaid} />
      <Twin side={blinked ? 'base' : 'concept'} holder="concept" name={blinked ? 'Base' : name}
        note={blinked ? 'blinking: press B' : pinned === null ? `same seed · ${seed}${trained ? '' : ' · no training'}` : `at step ${pinned}`} picture={shown} empty={note} against={base} />
    </div>
  );
}

interface TwinProps { side: 'base' | 'concept'; holder?: 'concept'; name: string; note: string; picture: PictureEvent | null; empty: string; /** The other twin. */ against?: PictureEvent | null }

const comparable = (a: PictureEvent, b: PictureEvent): boolean => a.state === 'full' && b.state === 'full' && a.bitmap.width === b.bitmap.width && a.bitmap.height === b.bitmap.height && differences(a, b).length === 0;

function Twin({ side, holder = undefined, name, note, picture, empty, against = null }: TwinProps) {
  const place = holder ?? side;
  const stale = useStudio((state) => (picture ? staleness(state, picture) : ''));
  const learned = useStudio((state) => state.run?.step ?? null);
  return (
    <figure className="twin" data-testid={place === 'base' ? ids.twinBase : ids.twinConcept} data-state={picture?.state ?? 'empty'} data-revision={picture?.revision} data-stale={stale === '' ? undefined : stale}>
      <figcaption><span className={`twin-name ${side}`}>{name}</span><span className="note">{note}</span></figcaption>
      <div className="frame">
        <PictureCanvas bitmap={picture?.bitmap ?? null} label={picture ? `${name}: “${picture.prompt}”, seed ${picture.seed}` : `${name}: nothing drawn yet`} />
        {!picture && place === 'concept' && <ToBeLearned />}
        {!picture && <p className="frame-empty"><span>{empty}</span></p>}
        {picture && <span className="badge" data-testid={place === 'base' ? ids.badgeBase : ids.badgeConcept}>{stale === '' ? badgeText(picture, learned) : `Of ${stale}: draw again`}</span>}
        {place === 'concept' && picture?.slot.kind === 'concept' && picture.state === 'full' && stale === '' && <SavePicture />}
        {place === 'concept' && side === 'concept' && against && picture && comparable(against, picture) && stale === '' && <HeatMap base={against} concept={picture} />}
        {place === 'concept' && <SamplingLine />}
      </div>
    </figure>
  );
}

/** The chosen picture, faded: what will stand here once it is learned. */
function ToBeLearned() {
  const card = useStudio((state) => state.cards.find(({ pictureId }) => pictureId === state.selectedId));
  if (!card?.info) return null;
  return <div className="to-be-learned"><PictureCanvas bitmap={card.info.bitmap} part={cropOnBitmap(card)} label="" /></div>;
}
