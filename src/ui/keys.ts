/** The keys of the studio. Fields, buttons and open dialogs keep theirs; the rest belong to the pictures. */
import { useEffect } from 'react';
import { useStudioNow } from './studio';

export const BLINK_EVENT = 'lamina-blink';

export const keyList: readonly { keys: string; does: string }[] = [
  { keys: 'B', does: 'Blink: lay the base over the concept' },
  { keys: 'Space', does: 'Draw as it stands, on Learn and on Mix' },
  { keys: 'Esc', does: 'Stop drawing' },
  { keys: '← →', does: 'Move the balance by 0.05, on the slider' },
  { keys: 'Shift ← →', does: 'Move the balance by 0.01' },
  { keys: 'Page ↑ ↓', does: 'Move the balance by 0.25' },
  { keys: 'Home End', does: 'Balance 0 and 2' },
  { keys: 'Ctrl Z', does: 'Undo the last change to pictures, masks and captions' },
  { keys: '?', does: 'This list' },
];

const keepsItsKeys = 'input:not([type=range]), textarea, select, button, a, summary, [role=dialog], [role=button], [contenteditable]';

/** Listens while mounted; `openHelp` shows the list. */
export function useKeys(openHelp: () => void): void {
  const now = useStudioNow();
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as Element | null;
      if (event.altKey || document.querySelector('[role=dialog]')) return;
      const typing = target?.closest('input:not([type=range]), textarea, [contenteditable]');
      if (event.ctrlKey || event.metaKey) {
        if (event.key.toLowerCase() !== 'z' || event.shiftKey || typing || now().tab !== 'learn') return;
        now().undo();
      } else if (event.key === '?' && !typing) openHelp();
      else if (event.key.toLowerCase() === 'b' && !typing) window.dispatchEvent(new Event(BLINK_EVENT));
      else if (event.key === 'Escape' && now().drawing) now().cancelDraw();
      else if (event.key === 'Escape' && now().mixDrawing) now().stopMix();
      else if (event.key === ' ' && !target?.closest(keepsItsKeys) && now().ready && now().tab === 'mix' && now().mix.prompt.trim() !== '') void now().drawMix();
      else if (event.key === ' ' && !target?.closest(keepsItsKeys) && now().ready && now().tab === 'learn' && now().prompt.trim() !== '') void now().draw();
      else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [now, openHelp]);
}
