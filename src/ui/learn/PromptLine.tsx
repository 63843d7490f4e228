/** The reserved line under the prompt: a fault, a value that was changed, words the base does not know, else what is set out of sight. */
import { SAMPLER_NAMES } from '../../formats/pngParameters';
import { defaultParams } from '../../state/params';
import { skippingLayers } from '../../state/twins';
import { FaultNote } from '../parts/FaultNote';
import { useUnknownWords } from '../parts/UnknownWords';
import { useActions, useStudio } from '../studio';

export function PromptLine({ said, open }: { said: string; open: boolean }) {
  const actions = useActions();
  const prompt = useStudio((state) => state.prompt);
  const fault = useStudio((state) => state.drawFault);
  const negative = useStudio((state) => state.negative.trim());
  const steps = useStudio((state) => state.steps);
  const guidance = useStudio((state) => state.guidance);
  const sampler = useStudio((state) => state.sampler);
  const skipLayers = useStudio(skippingLayers);
  const unknown = useUnknownWords(prompt);
  const hidden = open ? [] : [negative !== '' && `without “${negative}”`, steps !== defaultParams.steps && `${steps} steps`, guidance !== defaultParams.guidance && `guidance ${guidance}`, sampler !== defaultParams.sampler && `by ${SAMPLER_NAMES[sampler]}`, skipLayers && 'with skip-layer guidance'].filter(Boolean);
  return (
    <div className="prompt-line" id="prompt-line">
      {fault ? <FaultNote fault={fault} action={{ label: 'Draw again', run: () => void actions.draw() }} />
        : said !== '' ? <p className="warning" role="status">{said}</p>
        : unknown ? <p className="warning">{unknown}</p>
        : hidden.length > 0 && <p className="note">Drawn {hidden.join(', ')}.</p>}
    </div>
  );
}
