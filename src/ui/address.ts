/**
 * The address bar: recipe and drawing parameters stand in the fragment, and each change of tab is an entry of the browser's history,
 * so that Back leads from the Shelf to Learn and not out of the app. Going back changes the tab alone: prompt and recipe stay as they are.
 */
import type { Tab } from '../state/preferences';
import type { Studio } from '../state/slice';
import { followFragment, fragmentOf } from '../state/studio';

/** A changed recipe is written after this pause; browsers refuse more than a few writes a second. */
const FRAGMENT_MS = 300;

const tabOf = (state: unknown): Tab | null => {
  const tab = (state as { tab?: unknown } | null)?.tab;
  return tab === 'learn' || tab === 'mix' || tab === 'models' || tab === 'shelf' ? tab : null;
};

/** Reads what the link says, then follows the studio. Returns the function that ends it. */
export function followAddress(studio: Studio): () => void {
  const now = studio.getState;
  const fragment = () => fragmentOf(now());
  const address = () => `${location.pathname}${location.search}${fragment() === '' ? '' : `#${fragment()}`}`;

  now().readLink(location.hash.slice(1));
  history.replaceState({ tab: now().tab }, '');

  const unfollowTab = studio.subscribe((state, before) => {
    if (state.tab !== before.tab && tabOf(history.state) !== state.tab) history.pushState({ tab: state.tab }, '', address());
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const unfollowFragment = followFragment(studio, () => {
    clearTimeout(timer);
    timer = setTimeout(() => history.replaceState(history.state, '', address()), FRAGMENT_MS);
  });
  const ended = new AbortController();
  window.addEventListener('popstate', ({ state }) => {
    const tab = tabOf(state);
    // An entry without a tab is a link that was typed or followed by hand.
    if (!tab) return;
    history.replaceState(state, '', address());
    now().setTab(tab);
  }, ended);
  window.addEventListener('hashchange', () => {
    if (location.hash.slice(1) === fragment()) return;
    now().readLink(location.hash.slice(1));
    history.replaceState({ tab: now().tab }, '');
  }, ended);
  return () => {
    unfollowTab();
    unfollowFragment();
    clearTimeout(timer);
    ended.abort();
  };
}
