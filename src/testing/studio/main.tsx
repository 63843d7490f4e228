/**
 * The studio over a fake client, for looking at every state without computing: open src/testing/studio/index.html?scene=… in
 * `npm run dev`, with any name of scenes.ts and theme=light or dark; `npm run screens` takes pictures of all. Not part of the built app.
 */
import { createStudio } from '../../state/studio';
import { followObject } from '../../state/objects';
import { followAddress } from '../../ui/address';
import { mount } from '../../ui/mount';
import { fakeClient } from './fakeClient';
import { compute } from './figures';
import { playScene, scenes } from './scenes';

const client = fakeClient();
const studio = createStudio({
  client,
  read: (path) => fetch(`/${path}`),
  memory: null, persist: async () => true,
  newId: () => crypto.randomUUID(), reload: () => location.reload(),
  later: (delayMs, run) => { const timer = setTimeout(run, delayMs); return () => clearTimeout(timer); },
});
const parts = new URLSearchParams(location.search);
followAddress(studio);
followObject(studio);
studio.getState().setTheme(parts.get('theme') === 'light' ? 'light' : 'dark');
mount(document.getElementById('root')!, studio);
await studio.getState().start(() => Promise.resolve({ compute }));
await playScene(parts.get('scene') ?? 'first', client, studio);
// `npm run screens` and e2e/scenes.test.ts wait for this, read which scenes there are and change them.
Object.assign(window, { played: Object.keys(scenes), studio, client });
