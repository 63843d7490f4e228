/** What the given files would become: their parts, in how many bits they are to be kept, what lacks, and the import. */
import { begunAs, keptBytes, keptId, keptInWords, KEPT_PRECISIONS, precisionOf, type KeptPrecision, type ModelSurvey } from '../../protocol/models';
import { suggestionFor, suggestionReason } from '../../state/models';
import { megabytes } from '../format';
import { FaultNote } from '../parts/FaultNote';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { PartsTable } from './PartsTable';
import { WhatFits } from './WhatFits';
import { foundRows, fromWords } from './shown';

const WHY: Record<KeptPrecision, string> = {
  f16: '16 bits a weight: as the file has them, and largest.',
  int8: '8 bits a weight: about half the memory, and nearly the same pictures.',
  int4: '4 bits a weight: about a quarter of the memory, and pictures that differ visibly.',
};

export function FoundModel({ survey }: { survey: ModelSurvey }) {
  const actions = useActions();
  const precision = useStudio((state) => state.importPrecision);
  const own = useStudio((state) => state.importOwn);
  const work = useStudio((state) => state.modelWork?.kind ?? null);
  const progress = useStudio((state) => state.importProgress);
  const fault = useStudio((state) => (state.modelFault?.modelId === null && state.modelFault.during === 'importing' ? state.modelFault.fault : null));
  const names = useStudio((state) => state.modelFiles);
  const addresses = useStudio((state) => state.modelAddresses);
  const suggested = useStudio((state) => suggestionFor(survey, state.adapterMemory));
  const because = useStudio((state) => suggestionReason(survey, state.adapterMemory));
  const importing = work === 'importing';
  const kept = { precision, own };
  const resumes = begunAs(survey, kept);
  const others = Object.keys(own).length > 0;
  const whole = resumes?.share === 1;
  return (
    <div className="model-inner">
      <header>
        <h2 className="model-title" data-testid={ids.modelName}>{survey.name}</h2>
        <p className="note">from {fromWords([...names.map(({ path }) => path), ...addresses])}</p>
      </header>
      <PartsTable rows={foundRows(survey, kept, progress, importing)} onBits={actions.setPartPrecision} />
      {!importing && survey.parts.some((part) => part.precision !== null) && (
        <section aria-label="Kept as">
          <div className="row table-head"><h2>Keep it as</h2><span className="note">{others ? `Some parts otherwise, ${megabytes(keptBytes(survey.parts, kept))} in all.` : WHY[precision]} {suggested} is suggested {because}.</span></div>
          <Segmented label="Keep it as" value={precision} onChange={actions.setImportPrecision}
            options={KEPT_PRECISIONS.map((each) => ({ value: each, label: `${each} · ${megabytes(survey.storedBytes[each])}${each === suggested ? ' · suggested' : ''}`, testId: `precision-${each}` }))} />
        </section>
      )}
      <WhatFits transformer={survey.parts.find(({ folder }) => folder === 'transformer')?.storedAs[precisionOf(kept, 'transformer')] ?? 0} precision={precisionOf(kept, 'transformer')} />
      {survey.notes.length > 0 && <ul className="model-notes">{survey.notes.map((note) => <li key={note} className="note">{note}</li>)}</ul>}
      {!importing && resumes && !whole && <p className="statement">An import of these files was broken off. It goes on at {Math.floor(100 * resumes.share)} %.</p>}
      {!importing && whole && <p className="statement good">These files are on this device already, as {keptInWords(kept)}.</p>}
      {survey.lacking.length > 0 && <p className="statement">It cannot draw yet: {survey.lacking.join(' and ')} {survey.lacking.length === 1 ? 'is' : 'are'} still needed. Drop {survey.lacking.length === 1 ? 'its file' : 'their files'} as well.</p>}
      <footer className="model-foot">
        <FaultNote fault={fault} />
        {importing
          ? <button type="button" className="button" data-testid={ids.modelStop} onClick={actions.stopModelWork}>Stop import</button>
          : <button type="button" className="button" data-testid={ids.modelForget} onClick={actions.forgetModelFiles}>Put the files away</button>}
        {!importing && !whole && survey.lacking.length === 0 && <button type="button" className="button primary" data-testid={ids.modelImport} disabled={work !== null} onClick={() => void actions.importModel()}>{resumes ? 'Go on with the import' : 'Import'}</button>}
        {!importing && whole && <button type="button" className="button primary" onClick={() => { actions.showModel(keptId(survey.fingerprint, kept)); actions.forgetModelFiles(); }}>Show it</button>}
      </footer>
    </div>
  );
}
