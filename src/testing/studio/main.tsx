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

const root = document.getElementById('root')!;
let leave = () => {};

/** Begins anew with a scene, as a fresh page would, and without loading one. Gives the names of all scenes. */
async function play(scene: string, theme: string): Promise<string[]> {
  leave();
  history.replaceState(null, '', `${location.pathname}${location.search}`);
  scrollTo(0, 0);
  const client = fakeClient();
  const studio = createStudio({
    client,
    read: (path) => fetch(`/${path}`),
    memory: null, persist: async () => true,
    newId: () => crypto.randomUUID(), reload: () => location.reload(),
    later: (delayMs, run) => { const timer = setTimeout(run, delayMs); return () => clearTimeout(timer); },
  });
  const ends = [followAddress(studio), followObject(studio)];
  studio.getState().setTheme(theme === 'light' ? 'light' : 'dark');
  ends.push(mount(root, studio));
  leave = () => ends.forEach((end) => end());
  Object.assign(window, { studio, client });
  await studio.getState().start(() => Promise.resolve({ compute }));
  await playScene(scene, client, studio);
  return Object.keys(scenes);
}

const parts = new URLSearchParams(location.search);
await play(parts.get('scene') ?? 'first', parts.get('theme') ?? 'dark');
// `npm run screens` and e2e/scenes.test.ts play one after another, and change them by what stands in the page
Object.assign(window, { play });
