/** The models on this device, one card each, and what the given files would become. */
import { FOUND } from '../../state/models';
import { begunAs, keptBytes, keptInWords, type ModelSummary } from '../../protocol/models';
import { megabytes } from '../format';
import { useActions, useStudio } from '../studio';
import { listed, shownOf } from './shown';

export function ModelList() {
  const models = useStudio((state) => state.models);
  const survey = useStudio((state) => state.survey);
  const shownModel = useStudio((state) => state.shownModel);
  const used = useStudio((state) => state.ready?.base ?? null);
  const here = listed(models, survey);
  const shown = shownOf(models, survey, shownModel, used);
  return (
    <>
      <div className="row"><h1 className="column-title">Models on this device</h1><span className="count muted">{here.filter(({ installed }) => installed).length}</span></div>
      <ul className="model-list">
        {here.map((model, n) => <ModelCard key={model.modelId} n={n} model={model} shown={shown !== FOUND && shown?.modelId === model.modelId} />)}
        {survey && <FoundCard n={here.length} shown={shown === FOUND} />}
      </ul>
    </>
  );
}

function ModelCard({ model, n, shown }: { model: ModelSummary; n: number; shown: boolean }) {
  const actions = useActions();
  const ready = useStudio((state) => state.ready);
  const checking = useStudio((state) => (state.checking?.modelId === model.modelId ? state.checking : null));
  const used = ready?.base === model.modelId;
  const size = used ? ready.sizeBytes : model.storedBytes;
  const about = [
    ...(size > 0 ? [megabytes(size)] : []), ...(used ? [`${ready.imageSize} px`] : []), ...(model.precision ? [keptInWords({ precision: model.precision, own: model.own })] : []), ...(model.kind === 'embedded' ? ['draws simple scenes'] : []),
  ].join(' · ');
  return (
    <li>
      <button type="button" className="model-card" aria-pressed={shown} data-testid={`model-${n}`} data-model={model.modelId} onClick={() => actions.showModel(model.modelId)}>
        <span className="model-head"><b>{model.name}</b>{used && <span className="tag">in use</span>}{!model.installed && <span className="tag">not complete</span>}</span>
        <span className="note">{checking ? `being checked, ${percent(checking.doneBytes, checking.totalBytes)}` : about}</span>
        {checking ? <Line share={checking.doneBytes / checking.totalBytes} /> : !model.installed && <Line share={model.share} />}
      </button>
    </li>
  );
}

function FoundCard({ n, shown }: { n: number; shown: boolean }) {
  const actions = useActions();
  const survey = useStudio((state) => state.survey)!;
  const precision = useStudio((state) => state.importPrecision);
  const importing = useStudio((state) => state.modelWork?.kind === 'importing');
  const progress = useStudio((state) => state.importProgress);
  const own = useStudio((state) => state.importOwn);
  const kept = { precision, own };
  const resumes = begunAs(survey, kept);
  return (
    <li>
      <button type="button" className="model-card" aria-pressed={shown} data-testid={`model-${n}`} data-model={FOUND} onClick={() => actions.showModel(FOUND)}>
        <span className="model-head"><b>{survey.name}</b><span className="tag">{importing ? 'importing' : resumes?.share === 1 ? 'here already' : resumes ? 'not complete' : 'not here yet'}</span></span>
        <span className="note">{importing && progress ? `${megabytes(progress.readBytes)} of ${megabytes(progress.sourceBytes)} read` : `${megabytes(keptBytes(survey.parts, kept))} as ${keptInWords(kept)}`}</span>
        {importing ? <Line share={progress ? progress.readBytes / progress.sourceBytes : 0} /> : resumes && <Line share={resumes.share} />}
      </button>
    </li>
  );
}

export const percent = (done: number, total: number): string => `${Math.floor((100 * done) / Math.max(1, total))} %`;

/** How far, as a line; the words beside it say the same. */
function Line({ share }: { share: number }) {
  return <span className="bar" aria-hidden><span className="fill base" style={{ width: `${100 * Math.min(1, share)}%` }} /></span>;
}
