/** The middle: the model that is chosen on the left, or what the given files would become. */
import { FOUND } from '../../state/models';
import { useStudio } from '../studio';
import { FoundModel } from './FoundModel';
import { shownOf } from './shown';
import { StoredModel } from './StoredModel';

export function ShownModel() {
  const models = useStudio((state) => state.models);
  const survey = useStudio((state) => state.survey);
  const shownModel = useStudio((state) => state.shownModel);
  const used = useStudio((state) => state.ready?.base ?? null);
  const shown = shownOf(models, survey, shownModel, used);
  return (
    <section className="out model-shown" aria-label="Model">
      {shown === FOUND ? <FoundModel survey={survey!} /> : shown && <StoredModel key={shown.modelId} model={shown} />}
    </section>
  );
}
