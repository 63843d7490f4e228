/** What is happening, when it is one picture: what was made of it, how near and how copied its pictures are, and the way on to learning. */
import { sightOf } from '../../../state/objects';
import { learnSeconds } from '../../../state/pace';
import { megabytes, plural, roughly } from '../../format';
import { useNarrow } from '../../narrow';
import { useActions, useStudio } from '../../studio';
import { ids } from '../../testIds';
import { usePrimary } from '../primary';

/** Shares of edges found again up to which little, and some, of the picture was copied. */
const LOW = 0.25, SOME = 0.5;
const inWords = (copied: number): string => (copied < LOW ? 'low' : copied < SOME ? 'some of it' : 'much of it');

export function OneHappening() {
  const actions = useActions();
  const object = useStudio((state) => state.object);
  const card = useStudio((state) => state.card);
  const work = useStudio((state) => state.objectWork);
  const face = useStudio((state) => sightOf(state) === 'identity');
  return (
    <section className="column happening" aria-label="What is happening">
      <div className="column-scroll">
        <div className="row"><h2>{!face ? 'From one picture' : object && object.references > 1 ? `From ${object.references} pictures` : 'From one face'}</h2><span className="note" data-testid={ids.objectSize}>{object ? `${plural(object.tokens, 'token')} · ${megabytes(object.sizeBytes)}` : ''}</span></div>
        <p className="muted one-said">{object ? `One pass through the ${face ? 'identity' : 'object'} encoder${face ? ' for each head' : ''}. Nothing was trained, and nothing else of the model changed.` : work === 'encoding' ? `The ${face ? 'face' : 'object'} is being encoded.` : work === 'finding' ? `Looking for the ${face ? 'head' : 'object'}.` : `Show ${face ? 'where the head is' : 'what the object is'}, and it is drawn at once.`}</p>
        <Figures face={face} />
        {!face && object?.references === 1 && <p className="single"><span className="chip" data-testid={ids.singleReference} title="Nothing tells the thing from how this picture shows it; learning from it alone has to shift and mirror it.">single reference</span> <span className="note">How it looks from elsewhere is a guess.</span></p>}
        <WantItExact face={face} />
      </div>
      {object && (
        <footer className="column-foot">
          {card && object.cardId !== null
            ? <button type="button" className="button" data-testid={ids.keepCard} onClick={() => actions.setTab('shelf')}>Kept · show it</button>
            : <button type="button" className="button" data-testid={ids.keepCard} title="Puts its tokens on the Shelf, and the picture with them; nothing leaves this device" onClick={() => void actions.keepObject()}>Keep as it is</button>}
        </footer>
      )}
    </section>
  );
}

function Figures({ face }: { face: boolean }) {
  const figures = useStudio((state) => state.objectFigures);
  const current = useStudio((state) => state.objectFigures !== null && state.twins.concept?.revision === state.objectFigures.revision);
  const sees = useStudio((state) => state.ready?.sees ?? false);
  const shown = current ? figures : null;
  return (
    <dl className="one-figures">
      {sees && <div title={face ? 'Cosine of what the identity encoder says of the head found in the drawn picture and of yours; – where nobody stands out' : 'CLIP-I: cosine of the drawn picture to yours'}><dt>Likeness</dt><dd data-testid={ids.objectLikeness}>{shown?.likeness == null ? '–' : shown.likeness.toFixed(2)}</dd></div>}
      <div title={`Pictures without ${face ? 'the face' : 'it'} are drawn by the untouched base, bit for bit${face ? '; what the face changes beside itself, the heat-map of the twins shows' : ''}`}><dt>{face ? 'Drift without the face' : 'Drift of everything else'}</dt><dd>0 by design</dd></div>
      <div title="How much of your picture’s edges stand at the same place in the drawn one: 0 none, 1 all"><dt>Copied from the picture</dt><dd data-testid={ids.objectCopied}>{shown?.copied == null ? '–' : `${shown.copied.toFixed(2)} · ${inWords(shown.copied)}`}</dd></div>
    </dl>
  );
}

function WantItExact({ face }: { face: boolean }) {
  const seconds = useStudio(learnSeconds);
  const narrow = useNarrow();
  return (
    <div className="offer">
      <h3>{face ? 'Want nothing else to change?' : 'Want it exact?'}</h3>
      <p className="muted">{face ? 'Learning aligns what the face brings along with what is drawn without it' : 'With 3 to 10 pictures Lamina learns it'}{seconds === null ? '' : ` in about ${roughly(seconds)}`} on this device.</p>
      {!narrow && <ProperlyButton />}
    </div>
  );
}

/** On a phone it stands at the lower edge. */
export function ProperlyButton() {
  const actions = useActions();
  const primary = usePrimary('learn-properly');
  return <button type="button" className={`button wide ${primary}`} data-testid={ids.learnProperly} onClick={() => actions.learnProperly(true)}>Learn it properly</button>;
}
