/** What comes out: the twins, the prompt, the balance, and the strip over training. The first visit shows the recorded example. */
import { isLive } from '../../state/drawing';
import { isObject, isOnePicture, sightOf } from '../../state/objects';
import { useExample } from '../example';
import { useStudio } from '../studio';
import { BalanceCard } from './BalanceCard';
import { ExampleTwins } from './ExampleTwins';
import { FaceSeeing } from './one/FaceSeeing';
import { LikenessCard } from './one/LikenessCard';
import { Places } from './one/Places';
import { PromptBar } from './PromptBar';
import { Strip } from './Strip';
import { Twins } from './Twins';

export function OutColumn() {
  const example = useExample();
  const first = useStudio((state) => state.cards.length === 0 && state.run === null && state.opened === null && state.object === null);
  const one = useStudio(isOnePicture);
  const object = useStudio(isObject);
  const face = useStudio((state) => sightOf(state) === 'identity');
  const live = useStudio(isLive);
  const touched = useStudio((state) => state.twins.base !== null);
  return (
    <section className="out" aria-label="What comes out">
      <div className="out-inner">
        {first && (
          <div className="hero">
            <h1>Teach a model one new thing.<br />Leave everything else as it was.</h1>
            {example && !touched && <p className="muted">A recorded run. Move the balance: the pictures are real, and yours will be made on this device.</p>}
          </div>
        )}
        {!first && <h1 className="visually-hidden">Learn a concept</h1>}
        {first && example && !touched ? <ExampleTwins example={example} /> : <Twins />}
        {(!first || !example || touched) && <PromptBar />}
        {object || one ? <><LikenessCard />{face && <FaceSeeing />}</> : <BalanceCard example={first && !touched ? example : null} live={live} />}
        {!first && <Strip />}
        {(object || one) && <Places />}
      </div>
    </section>
  );
}
