/**
 * The studio over a fake client, for looking at every state without computing: open src/testing/studio/index.html?scene=… in
 * `npm run dev`, first, loading, ready, learning, learned, faults, shelf or resume. Not part of the built app.
 */
import { createStudio } from '../../state/studio';
import { mount } from '../../ui/mount';
import { fakeClient } from './fakeClient';
import { compute, playScene } from './scenes';

const client = fakeClient();
const studio = createStudio({
  client,
  read: (path) => fetch(`/${path}`),
  memory: null,
  newId: () => crypto.randomUUID(),
  later: (delayMs, run) => { const timer = setTimeout(run, delayMs); return () => clearTimeout(timer); },
});
const parts = new URLSearchParams(location.search);
studio.getState().setTheme(parts.get('theme') === 'light' ? 'light' : 'dark');
mount(document.getElementById('root')!, studio);
void studio.getState().start(() => Promise.resolve({ compute })).then(() => playScene(parts.get('scene') ?? 'first', client, studio));
