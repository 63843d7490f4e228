/** What lies over the concept's picture: how far drawing is, and saving it with its parameters. */
import { Download } from 'lucide-react';
import { saveFile } from '../download';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

export function SamplingLine() {
  const sampling = useStudio((state) => state.sampling);
  if (!sampling || sampling.steps === 0) return null;
  return <div className="sampling" role="progressbar" aria-label="Drawing" aria-valuemin={0} aria-valuemax={sampling.steps} aria-valuenow={sampling.step}><div style={{ width: `${(100 * sampling.step) / sampling.steps}%` }} /></div>;
}

export function SavePicture() {
  const actions = useActions();
  const save = async () => {
    const file = await actions.pictureFile();
    if (file) saveFile(file.blob, file.name);
  };
  return <button type="button" className="frame-action" data-testid={ids.savePicture} aria-label="Save this picture with its parameters" title="Save with its parameters" onClick={() => void save()}><Download className="icon" aria-hidden /></button>;
}
