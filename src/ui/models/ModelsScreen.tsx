/** Models: left what is on this device and the way in, in the middle one of them with its parts, right what is happening. */
import { useEffect } from 'react';
import { useStudio } from '../studio';
import { ids } from '../testIds';
import { AddFiles } from './AddFiles';
import { ModelList } from './ModelList';
import { ShownModel } from './ShownModel';
import { StorageLine } from './StorageLine';
import { WorkColumn } from './WorkColumn';

export function ModelsScreen() {
  const refresh = useStudio((state) => state.refreshModels);
  const refreshStorage = useStudio((state) => state.refreshStorage);
  const base = useStudio((state) => state.ready?.base ?? null);
  useEffect(() => { void Promise.all([refresh(), refreshStorage()]); }, [refresh, refreshStorage, base]);
  return (
    <div className="learn models" data-testid={ids.models}>
      <section className="column in" aria-label="Models on this device">
        <div className="column-scroll"><ModelList /><AddFiles /></div>
        <Storage />
      </section>
      <ShownModel />
      <WorkColumn />
    </div>
  );
}

function Storage() {
  const storage = useStudio((state) => state.storage);
  if (!storage || storage.quotaBytes === 0) return null;
  return <footer className="column-foot"><StorageLine {...storage} /></footer>;
}
