/** The parts of a model: what each is kept as, its size in the file and here, and where it stands. On narrow pages the state gets a line of its own. */
import { KEPT_PRECISIONS, type KeptPrecision } from '../../protocol/models';
import type { PartRow } from './shown';

export function PartsTable({ rows, aside, onBits }: { rows: readonly PartRow[]; aside?: string; /** Keeps one part in another precision. */ onBits?: (folder: string, bits: KeptPrecision) => void }) {
  if (rows.length === 0) return null;
  return (
    <section aria-label="Parts">
      <div className="row table-head"><h2>Parts</h2>{aside && <span className="note">{aside}</span>}</div>
      <table className="parts">
        <thead><tr><th scope="col">Part</th><th scope="col">As</th><th scope="col" className="end">In the file</th><th scope="col" className="end">Here</th><th scope="col">State</th></tr></thead>
        <tbody>
          {rows.map(({ folder, label, detail, optional, as, bits, inFile, here, state, tone }) => (
            <tr key={folder} data-testid={`model-part-${folder}`}>
              <th scope="row">{label}{detail && <span className="muted">, {detail}</span>}{optional && <span className="tag">optional</span>}</th>
              <td>{bits && onBits
                ? <select className="select" aria-label={`Keep ${label} as`} data-testid={`part-bits-${folder}`} value={bits} onChange={({ target }) => onBits(folder, target.value as KeptPrecision)}>{KEPT_PRECISIONS.map((each) => <option key={each} value={each}>{each}</option>)}</select>
                : as}</td>
              <td className="end">{inFile}</td>
              <td className="end">{here}</td>
              <td className={`part-state ${tone}`}>{state}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
