/** The list of keys, and the choice between light and dark. */
import type { Theme } from '../state/preferences';
import { Dialog } from './parts/Dialog';
import { Segmented } from './parts/Segmented';
import { keyList } from './keys';
import { useActions, useStudio } from './studio';

const themes: readonly { value: Theme; label: string }[] = [{ value: 'system', label: 'As the system' }, { value: 'light', label: 'Light' }, { value: 'dark', label: 'Dark' }];

export function Settings({ open, onClose }: { open: boolean; onClose(): void }) {
  const actions = useActions();
  const theme = useStudio((state) => state.theme);
  return (
    <Dialog open={open} onClose={onClose} title="Keys and appearance" testId="settings">
      <Segmented label="Theme" value={theme} onChange={actions.setTheme} options={themes} />
      <dl className="keys">{keyList.map(({ keys, does }) => <div key={keys}><dt><kbd>{keys}</kbd></dt><dd>{does}</dd></div>)}</dl>
    </Dialog>
  );
}
