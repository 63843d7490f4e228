/** The cosines between the guidances of the newest draft, and in words whether any two fight or pull the same way. */
import { useMemo } from 'react';
import type { MixGuidance } from '../../protocol/mix';
import { guidanceName } from '../../state/mixCards';
import { useStudio } from '../studio';
import { ids } from '../testIds';

/** From here on two guidances are worth a word. */
const MUCH = 0.35;

export function Overlap() {
  const overlap = useStudio((state) => state.mixOverlap);
  const guidances = useStudio((state) => state.mix.guidances);
  const concepts = useStudio((state) => state.concepts);
  const objectCards = useStudio((state) => state.objectCards);
  const rows = useMemo(() => {
    const nameOf = (guidance: MixGuidance) => (guidance.source.kind === 'text' && guidance.source.words === null ? 'Prompt' : guidanceName(guidance, { concepts, objectCards }));
    return guidances.flatMap((guidance) => { const at = overlap?.ids.indexOf(guidance.id) ?? -1; return at < 0 ? [] : [{ at, name: nameOf(guidance), alone: guidance.alone }]; });
  }, [guidances, concepts, objectCards, overlap]);
  const said = useMemo(() => {
    if (!overlap || rows.length < 2) return 'Two guidances are needed for them to fight.';
    // a scene of its own stands in place of the prompt's and of every other's: that is no fight
    const pairs = rows.filter(({ alone }) => !alone).flatMap((a, i, all) => all.slice(i + 1).map((b) => ({ a, b, cosine: overlap.overlap[a.at]![b.at]! })));
    if (pairs.length === 0) return 'Each draws its own part of the picture.';
    const most = pairs.reduce((x, y) => (Math.abs(y.cosine) > Math.abs(x.cosine) ? y : x));
    if (Math.abs(most.cosine) < MUCH) return 'They leave each other alone.';
    return most.cosine > 0 ? `${most.a.name} and ${most.b.name} pull the same way. Solving the weights together keeps their sum in bounds.` : `${most.a.name} and ${most.b.name} pull against each other: lower one, or give each its own mask.`;
  }, [overlap, rows]);
  return (
    <div data-testid={ids.mixOverlap}>
      <div className="row"><h2>Do they fight?</h2><span className="note">cosine of guidances</span></div>
      {overlap && rows.length > 1 && (
        <div className="overlap-scroll">
          <table className="overlap">
            <thead><tr><td />{rows.map(({ at, name }) => <th key={at} scope="col" title={name}><span>{name}</span></th>)}</tr></thead>
            <tbody>{rows.map((a) => <tr key={a.at}><th scope="row" title={a.name}><span>{a.name}</span></th>{rows.map((b) => { const cosine = overlap.overlap[a.at]![b.at]!; return <td key={b.at} className={cosine < 0 ? 'against' : ''} style={{ '--much': Math.abs(cosine) } as React.CSSProperties} data-self={a.at === b.at || undefined}>{cosine.toFixed(2).replace(/^(-?)0\./, '$1.')}</td>; })}</tr>)}</tbody>
          </table>
        </div>
      )}
      <p className="note mix-why">{said}</p>
    </div>
  );
}
