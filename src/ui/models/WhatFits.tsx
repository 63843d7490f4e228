/** What fits on a graphics adapter, for the model whose steps have been counted: SD3.5 Medium. A browser does not say how much memory there is, so that is asked. */
import { ADAPTER_MEMORIES, fitOf, isPlanned, type Fit, type PlannedTask } from '../../protocol/fit';
import { PICTURE_SIDES, type KeptPrecision } from '../../protocol/models';
import { sd35Plan } from '../../protocol/sd35Plan';
import { megabytes, plural } from '../format';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

const TASKS: (PlannedTask & { label: string })[] = [{ label: 'Draw', task: 'draw', rank: 0 }, { label: 'Learn, rank 4', task: 'learn', rank: 4 }, { label: 'Learn, rank 32', task: 'learn', rank: 32 }];

/** transformer: bytes it takes here. */
export function WhatFits({ transformer, precision }: { transformer: number; precision: KeptPrecision }) {
  const actions = useActions();
  const memory = useStudio((state) => state.adapterMemory);
  if (!isPlanned(sd35Plan, transformer, precision)) return null;
  return (
    <section aria-label="What fits" data-testid={ids.modelFits}>
      <div className="row table-head fits-head">
        <h2>What fits on a graphics adapter of</h2>
        <Segmented small label="Memory of the adapter" value={String(memory)} options={ADAPTER_MEMORIES.map((each) => ({ value: String(each), label: `${each} GB`, testId: `adapter-${each}` }))}
          onChange={(value) => { const chosen = ADAPTER_MEMORIES.find((each) => String(each) === value); if (chosen !== undefined) actions.setAdapterMemory(chosen); }} />
        <span className="note">as {precision}, one picture at a time · counted, not measured</span>
      </div>
      <table className="fits">
        <thead><tr><td />{PICTURE_SIDES.map((size) => <th key={size} scope="col" className="end">{size} px</th>)}</tr></thead>
        <tbody>
          {TASKS.map(({ label, ...task }) => (
            <tr key={label}><th scope="row">{label}</th>{PICTURE_SIDES.map((size) => <td key={size} className="end"><Verdict fit={fitOf(sd35Plan, task, size, memory * 1e9, precision)} /></td>)}</tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Verdict({ fit }: { fit: Fit | null }) {
  if (!fit) return <span className="muted">–</span>;
  if (fit.verdict === 'fits') return <><span className="good">fits</span> · {megabytes(fit.bytes)}</>;
  if (fit.verdict === 'streams') return <><span className="warn">streams {plural(fit.streamed, 'block')}</span> · {megabytes(fit.bytes)}</>;
  return <><span className="bad">does not fit</span>{fit.instead && ` · ${fit.instead} would`}</>;
}
