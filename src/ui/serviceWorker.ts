/**
 * Registers the service worker of the built app. On hosts without isolation headers it reloads once, as soon as the worker can add
 * them and nothing has been begun; a newer version waits until the user asks for it.
 */
interface Options {
  /** Offers to reload into a newer version. */
  onUpdate(apply: () => void): void;
  /** Whether a reload would lose nothing. */
  untouched(): boolean;
}

const RELOADED_KEY = 'lamina.isolated';

/** Reloads once for isolation. A browser that stays unisolated after that runs with one wasm thread. */
function reloadIsolated(untouched: () => boolean): void {
  if (crossOriginIsolated || sessionStorage.getItem(RELOADED_KEY) !== null || !untouched()) return;
  sessionStorage.setItem(RELOADED_KEY, 'yes');
  location.reload();
}

export async function registerServiceWorker({ onUpdate, untouched }: Options): Promise<void> {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return;
  const { serviceWorker } = navigator;
  let updating = false;
  serviceWorker.addEventListener('controllerchange', () => {
    if (updating) location.reload();
    else reloadIsolated(untouched);
  });
  const registration = await serviceWorker.register(new URL('sw.js', document.baseURI));
  if (serviceWorker.controller) reloadIsolated(untouched);

  const offer = (waiting: ServiceWorker) => onUpdate(() => { updating = true; waiting.postMessage('apply-update'); });
  if (registration.waiting && serviceWorker.controller) offer(registration.waiting);
  registration.addEventListener('updatefound', () => {
    const { installing } = registration;
    installing?.addEventListener('statechange', () => { if (installing.state === 'installed' && serviceWorker.controller) offer(installing); });
  });
}
