/** Mark, tabs, and what runs where: base, compute, privacy. The loading bar is the header's lower edge. */
import { Lock, Settings2 } from 'lucide-react';
import { Tabs } from 'radix-ui';
import type { Compute } from '../protocol/compute';
import type { ModelSurvey } from '../protocol/models';
import { Mark } from './parts/Mark';
import { megabytes } from './format';
import { useStudio } from './studio';
import { ids } from './testIds';

export function Header({ openSettings }: { openSettings(): void }) {
  const compute = useStudio((state) => state.compute);
  return (
    <header className="header">
      <div className="brand"><Mark size={24} /><span>Lamina</span></div>
      <Tabs.List className="tabs" aria-label="Screens">
        <Tabs.Trigger className="tab" value="learn" data-testid={ids.tabLearn}>Learn</Tabs.Trigger>
        <Tabs.Trigger className="tab" value="mix" data-testid={ids.tabMix}>Mix</Tabs.Trigger>
        <Tabs.Trigger className="tab" value="models" data-testid={ids.tabModels}>Models</Tabs.Trigger>
        <Tabs.Trigger className="tab" value="shelf" data-testid={ids.tabShelf}>Shelf</Tabs.Trigger>
      </Tabs.List>
      <div className="status">
        <BaseStatus />
        {compute && <ComputeStatus compute={compute} />}
        <span className="privacy" title="Nothing leaves this device"><Lock className="icon" aria-hidden />Nothing leaves this device</span>
        <button type="button" className="bare" aria-label="Keys and appearance" title="Keys and appearance" onClick={openSettings}><Settings2 className="icon" aria-hidden /></button>
      </div>
      <LoadingBar />
    </header>
  );
}

function BaseStatus() {
  const ready = useStudio((state) => state.ready);
  const loading = useStudio((state) => state.loading);
  const failed = useStudio((state) => state.deviceFault !== null);
  const used = useStudio((state) => state.usedBase.name);
  const importing = useStudio((state) => (state.modelWork?.kind === 'importing' ? state.survey : null));
  const said = ready
    ? `${megabytes(ready.sizeBytes)} · ready offline`
    : failed ? 'not available'
    : loading ? `${loading.source === 'network' ? 'loading' : 'reading'}, ${(loading.doneBytes / 1e6).toFixed(1)} of ${Math.round(loading.totalBytes / 1e6)} MB` : 'starting';
  return (
    <span className="base-status" data-testid={ids.baseStatus} data-ready={ready !== null}>
      {importing && ready ? <ImportStatus survey={importing} /> : <><b>{ready?.name ?? used}</b> <span className="note">{said}</span></>}
    </span>
  );
}

/** An import goes on whatever tab is open. */
function ImportStatus({ survey }: { survey: ModelSurvey }) {
  const precision = useStudio((state) => state.importPrecision);
  const progress = useStudio((state) => state.importProgress);
  const share = progress ? ` ${Math.floor((100 * progress.readBytes) / progress.sourceBytes)} %` : '';
  return <><b>{survey.name}</b> <span className="note">{megabytes(survey.storedBytes[precision])} · importing{share}</span></>;
}

const names = { webgpu: 'WebGPU', wasm: 'WebAssembly', cpu: 'JavaScript' } as const;

function ComputeStatus({ compute }: { compute: Compute }) {
  const detail = compute.backend === 'wasm' ? compute.adapter.replace(/^wasm\s*/i, '') : compute.adapter;
  return (
    <span className="compute" data-testid={ids.compute} data-backend={compute.backend} title={compute.reason || undefined}>
      <span className={compute.backend === 'cpu' ? 'dot warn' : 'dot'} aria-hidden /><b>{names[compute.backend]}</b> <span className="note">{detail}</span>
    </span>
  );
}

function LoadingBar() {
  const loading = useStudio((state) => state.loading);
  if (!loading || loading.totalBytes === 0) return null;
  return (
    <div className="loading-bar" data-testid={ids.loadingBar} role="progressbar" aria-label="Loading the base" aria-valuemin={0} aria-valuemax={loading.totalBytes} aria-valuenow={loading.doneBytes}>
      <div style={{ width: `${(100 * loading.doneBytes) / loading.totalBytes}%` }} />
    </div>
  );
}
