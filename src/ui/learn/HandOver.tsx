/** The way on for who outgrows this device: the run's pictures, captions and recipe as an archive that trainers of elsewhere take. */
import { useEffect, useState } from 'react';
import { ROWS_READ } from '../../formats/handover/purecc';
import type { FaultData } from '../../protocol/faults';
import type { ResultOf } from '../../protocol/messages';
import type { RunInfo } from '../../protocol/run';
import { saveFile } from '../download';
import { megabytes } from '../format';
import { Dialog } from '../parts/Dialog';
import { FaultNote } from '../parts/FaultNote';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

export function HandOver({ run }: { run: RunInfo }) {
  const [open, setOpen] = useState(false);
  return (
    <p className="note hand-over">
      <button type="button" className="link" data-testid={ids.handOver} disabled={run.phase === 'encoding'} onClick={() => setOpen(true)}>Go on with a bigger machine…</button>
      {open && <HandOverDialog run={run} onClose={() => setOpen(false)} />}
    </p>
  );
}

function HandOverDialog({ run: { runId, name, recipe }, onClose }: { run: RunInfo; onClose(): void }) {
  const { handOver } = useActions();
  const pictures = useStudio((state) => state.cards.length);
  const [made, setMade] = useState<ResultOf<'handOver'> | null>(null);
  const [fault, setFault] = useState<FaultData | null>(null);
  useEffect(() => {
    let current = true;
    void handOver(runId).then((result) => {
      if (!current) return;
      if ('file' in result) setMade(result);
      else setFault(result);
    });
    return () => { current = false; };
  }, [handOver, runId]);
  const world = recipe.kind === 'world';
  return (
    <Dialog open onClose={onClose} title={`Take “${name}” to a bigger machine`} testId={ids.handOverDialog}>
      <p>One archive with the pictures as you cropped them{world ? '' : ', their captions'} and the recipe. Unpack it where the graphics card is, and start a script in it:</p>
      <dl className="header-view">
        <div><dt>diffusers/train.sh</dt><dd>A plain LoRA, by diffusers and accelerate.</dd></div>
        {!world && <div><dt>purecc/train.sh</dt><dd>Both stages, by the scripts of PureCC’s authors{pictures > ROWS_READ ? `, which read the first ${ROWS_READ} pictures` : ''}.</dd></div>}
      </dl>
      {recipe.base === 'embedded' && <p className="note">The embedded base stays here: the scripts train Stable Diffusion 3.5 Medium, with the figures published for it.</p>}
      <FaultNote fault={fault} />
      <p className="statement" role="status">{made ? 'Whoever has this file has your pictures. It goes nowhere but to your own disk.' : fault ? 'Nothing was written.' : 'Putting it together.'}</p>
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>Close</button>
        <button type="button" className="button primary" data-testid={ids.handOverSave} disabled={made === null} onClick={() => { if (made) saveFile(made.file, made.fileName); }}>Save{made ? ` · ${megabytes(made.file.size)}` : ''}</button>
      </div>
    </Dialog>
  );
}
