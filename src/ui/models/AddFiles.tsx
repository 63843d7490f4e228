/** The way in: a place to drop files or a folder, two pickers, and an address. Drops are the page's (usePageFiles); this shows where. */
import { useRef, useState } from 'react';
import { plural } from '../format';
import { FaultNote } from '../parts/FaultNote';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { chosenFiles } from './files';

export function AddFiles() {
  const actions = useActions();
  const fault = useStudio((state) => (state.modelFault?.modelId === null && state.modelFault.during === 'surveying' ? state.modelFault.fault : null));
  const files = useStudio((state) => state.modelFiles.length + state.modelAddresses.length);
  const work = useStudio((state) => state.modelWork?.kind ?? null);
  const input = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const busy = work === 'importing' || work === 'surveying';
  const take = (picked: HTMLInputElement) => {
    void actions.addModelFiles(chosenFiles(picked.files ?? []));
    picked.value = '';
  };
  return (
    <>
      <div className="drop-zone model-drop" data-testid={ids.modelDrop} role="group" aria-label="Drop model files or a folder">
        <input ref={input} type="file" multiple hidden data-testid={ids.modelInput} aria-label="Model files" onChange={(event) => take(event.target)} />
        <input ref={folder} type="file" hidden {...{ webkitdirectory: '' }} data-testid={ids.modelFolder} aria-label="Model folder" onChange={(event) => take(event.target)} />
        <p className="drop-title">Drop model files or a folder</p>
        <p className="muted">One .safetensors file, ComfyUI’s separate files, or a diffusers folder. Read here, sent nowhere.</p>
        <div className="drop-buttons">
          <button type="button" className="button" disabled={busy} onClick={() => input.current?.click()}>Choose files</button>
          <button type="button" className="button" disabled={busy} onClick={() => folder.current?.click()}>Choose folder</button>
        </div>
        <p className="note" role="status">{work === 'surveying' ? 'Reading what is in the files.' : files > 0 ? `${plural(files, 'file')} so far; more are added to them.` : 'Anywhere on this page will do.'}</p>
      </div>
      <FaultNote fault={fault} />
      <AddressForm busy={busy} reading={work === 'surveying'} />
    </>
  );
}

/** A server may have to be asked several times, with waits between: that can be stopped. */
function AddressForm({ busy, reading }: { busy: boolean; reading: boolean }) {
  const actions = useActions();
  const [address, setAddress] = useState('');
  const [token, setToken] = useState('');
  const given = address.trim() !== '';
  return (
    <form className="address-form" onSubmit={(event) => { event.preventDefault(); if (given && !busy) void actions.addModelAddress(address, token); }}>
      <div className="field">
        <label htmlFor="model-address">Or an address that serves the files</label>
        <div className="address-line">
          <input id="model-address" className="text" data-testid={ids.modelAddress} value={address} inputMode="url" autoComplete="off" spellCheck={false} placeholder="https://…/model.safetensors" onChange={(event) => setAddress(event.target.value)} />
          {reading && given
            ? <button type="button" className="button small" data-testid={ids.modelStop} onClick={actions.stopModelWork}>Stop</button>
            : <button type="submit" className="button small" data-testid={ids.modelAdd} disabled={!given || busy}>Add</button>}
        </div>
      </div>
      {given && (
        <div className="field">
          <label htmlFor="model-token">Token, if the server wants one</label>
          <input id="model-token" className="text" type="password" autoComplete="off" data-testid={ids.modelToken} value={token} spellCheck={false} onChange={(event) => setToken(event.target.value)} />
          <p className="note">It stays in memory only, and goes to this server alone.</p>
        </div>
      )}
    </form>
  );
}
