/** The sample sets of the first visit: one click loads pictures and captions. */
import { samplePath, sampleSets } from '../../state/samples';
import { useActions, useStudio } from '../studio';
import { sampleId } from '../testIds';

export function SampleList() {
  const actions = useActions();
  const loading = useStudio((state) => state.loadingSample);
  return (
    <>
      <h2 className="section">Or start with a sample</h2>
      <ul className="sample-list">
        {sampleSets.map(({ set, title, kind, count }) => (
          <li key={set}>
            <button type="button" className="sample" data-testid={sampleId(set)} disabled={loading !== null} onClick={() => void actions.loadSample(set)}>
              <img src={samplePath(set, '1.png')} alt="" width={44} height={44} />
              <span><span>{title}</span><span className="note">{kind === 'style' ? 'style' : 'thing'} · {count} pictures</span></span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
