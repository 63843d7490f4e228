/** The whole page: header, banners, the screens, and what belongs to all of them — keys, drops and pastes anywhere, toasts. */
import { Tabs } from 'radix-ui';
import { useCallback, useState } from 'react';
import type { Tab } from '../state/preferences';
import { Banners } from './Banners';
import { Header } from './Header';
import { Hud } from './Hud';
import { useKeys } from './keys';
import { LearnScreen } from './learn/LearnScreen';
import { MixScreen } from './mix/MixScreen';
import { ModelsScreen } from './models/ModelsScreen';
import { Settings } from './Settings';
import { ShelfScreen } from './shelf/ShelfScreen';
import { useActions, useStudio } from './studio';
import { useThemeOnRoot } from './theme';
import { Toasts } from './Toasts';
import { usePageFiles } from './usePageFiles';

export function App() {
  const actions = useActions();
  const tab = useStudio((state) => state.tab);
  const [settings, setSettings] = useState(false);
  useKeys(useCallback(() => setSettings(true), []));
  useThemeOnRoot();
  const dragging = usePageFiles();
  return (
    <Tabs.Root className="app" value={tab} onValueChange={(next) => actions.setTab(next as Tab)} data-dragging={dragging || undefined}>
      <Header openSettings={() => setSettings(true)} />
      <main>
        <Tabs.Content value="learn" className="screen" tabIndex={-1}><LearnScreen /></Tabs.Content>
        <Tabs.Content value="mix" className="screen" tabIndex={-1}><MixScreen /></Tabs.Content>
        <Tabs.Content value="models" className="screen" tabIndex={-1}><ModelsScreen /></Tabs.Content>
        <Tabs.Content value="shelf" className="screen" tabIndex={-1}><ShelfScreen /></Tabs.Content>
      </main>
      <Banners />
      <Hud />
      <Settings open={settings} onClose={() => setSettings(false)} />
      <Toasts />
    </Tabs.Root>
  );
}
