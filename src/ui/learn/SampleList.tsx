/** The sample sets of the first visit: one click loads pictures and captions. */
import { sampleKind, samplePath, sampleSets } from '../../state/samples';
import { useActions, useStudio } from '../studio';
import { sampleId } from '../testIds';

const CALLED = { instance: 'thing', style: 'style', person: 'face', world: 'world' };

export function SampleList() {
  const actions = useActions();
  const loading = useStudio((state) => state.loadingSample);
  const faces = useStudio((state) => state.ready?.faces ?? false);
  return (
    <>
      <h2 className="section">Or start with a sample</h2>
      <ul className="sample-list">
        {sampleSets.map(({ set, title, kind, count }) => (
          <li key={set}>
            <button type="button" className="sample" data-testid={sampleId(set)} disabled={loading !== null} onClick={() => void actions.loadSample(set)}>
              <img src={samplePath(set, '1.png')} alt="" width={44} height={44} />
              <span><span>{title}</span><span className="note">{CALLED[sampleKind(set, kind, faces)]} · {count} pictures</span></span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
