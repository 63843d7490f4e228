/** What is happening: how far, how fast and how long; before and after that, what will happen and what a model is good for. */
import type { ReactNode } from 'react';
import { begunAs, keptBytes } from '../../protocol/models';
import { FOUND } from '../../state/models';
import { megabytes, roughly } from '../format';
import { useStudio } from '../studio';
import { ids } from '../testIds';
import { percent } from './ModelList';
import { secondsLeft, shownOf } from './shown';

export function WorkColumn() {
  const kind = useStudio((state) => state.modelWork?.kind ?? null);
  return (
    <section className="column happening" aria-label="What is happening">
      <div className="column-scroll">
        <h2>What is happening</h2>
        {kind === 'importing' ? <Importing /> : kind === 'checking' ? <Checking /> : kind === 'surveying' ? <p className="note work-words">The files’ headers are read, and what they hold is recognised by its names and shapes.</p> : <Next />}
        <About />
      </div>
    </section>
  );
}

const Figure = ({ label, id, children }: { label: string; id?: string; children: ReactNode }) => <div className="row work-row"><dt>{label}</dt><dd className="number-text" data-testid={id}>{children}</dd></div>;

function Importing() {
  const progress = useStudio((state) => state.importProgress);
  const left = progress && secondsLeft(progress);
  return (
    <>
      <p className="note work-words">Each tensor is read once, packed, hashed and stored. Close the tab whenever you like: the import goes on at the tensor it had reached.</p>
      <dl className="work-figures">
        <Figure label="Read" id={ids.modelRead}>{progress ? `${megabytes(progress.readBytes)} of ${megabytes(progress.sourceBytes)}` : '–'}</Figure>
        <Figure label="Stored" id={ids.modelStored}>{progress ? megabytes(progress.storedBytes) : '–'}</Figure>
        <Figure label="Rate" id={ids.modelRate}>{progress && progress.bytesPerSecond > 0 ? `${megabytes(progress.bytesPerSecond)}/s` : '–'}</Figure>
        <Figure label="Time left" id={ids.modelLeft}>{left === null ? '–' : roughly(left)}</Figure>
      </dl>
    </>
  );
}

function Checking() {
  const checking = useStudio((state) => state.checking);
  return (
    <>
      <p className="note work-words">Every stored piece is read again and compared with the hash it was written with.</p>
      <dl className="work-figures"><Figure label="Checked">{checking ? `${megabytes(checking.doneBytes)} of ${megabytes(checking.totalBytes)}, ${percent(checking.doneBytes, checking.totalBytes)}` : '–'}</Figure></dl>
    </>
  );
}

/** Of given files: whether there is room for them. */
function Next() {
  const survey = useStudio((state) => state.survey);
  const models = useStudio((state) => state.models);
  const shownModel = useStudio((state) => state.shownModel);
  const precision = useStudio((state) => state.importPrecision);
  const own = useStudio((state) => state.importOwn);
  if (!survey || shownOf(models, survey, shownModel, null) !== FOUND) return <p className="note work-words">Nothing is being imported.</p>;
  const kept = { precision, own };
  const there = begunAs(survey, kept)?.share ?? 0;
  return (
    <>
      <p className="note work-words">Only headers have been read so far. The import reads each tensor once and can be stopped and gone on with at any time.</p>
      <dl className="work-figures">
        <Figure label="To read">{megabytes(survey.sourceBytes * (1 - there))}</Figure>
        <Figure label="Room it needs">{megabytes(keptBytes(survey.parts, kept) * (1 - there))}</Figure>
        <Figure label="Room there is">{survey.freeBytes === null ? 'not said by the browser' : megabytes(survey.freeBytes)}</Figure>
      </dl>
    </>
  );
}

function About() {
  return (
    <>
      <h2 className="section">Which files</h2>
      <p className="note work-words">Stable Diffusion 3 and 3.5 Medium: transformer, autoencoder and the CLIP text encoders; T5 and, for decoded drafts, TAESD3’s decoder where you have them. F32, F16, BF16 or fp8.</p>
      <h2 className="section">Licence</h2>
      <p className="note work-words">You bring the files, and their licence stays theirs: Stable Diffusion 3.5 comes under the Stability AI Community License. Its terms also hold for concepts learned on it.</p>
      <h2 className="section">Concepts</h2>
      <p className="note work-words">A concept acts on the model it was learned on. The Shelf shows those of all models.</p>
    </>
  );
}
