/** Files dropped anywhere on the page, and pictures pasted: on Learn they become cards, on Models parts of a model; LoRA files and our own PNGs are restored. */
import { useEffect, useState } from 'react';
import { isOpen } from '../state/run';
import { droppedFiles } from './models/files';
import { useStudioNow } from './studio';

export function usePageFiles(): boolean {
  const now = useStudioNow();
  const [dragging, setDragging] = useState(false);
  useEffect(() => {
    const take = (transfer: DataTransfer) => {
      const studio = now();
      if (studio.tab === 'models') {
        droppedFiles(transfer).then((files) => studio.addModelFiles(files), (error: unknown) => studio.notify(error instanceof Error ? error.message : String(error), 'bad'));
        return;
      }
      const files = [...transfer.files].map((file) => ({ file, name: file.name }));
      if (files.length === 0) return;
      const locked = studio.run !== null || studio.opened !== null;
      if (studio.tab === 'learn' && !locked) void studio.addFiles(files);
      else if (isOpen(studio.run)) studio.notify('Files can be added when learning has ended.');
      else void studio.importFiles(files);
    };
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      setDragging(true);
    };
    const leave = (event: DragEvent) => { if (event.relatedTarget === null) setDragging(false); };
    const drop = (event: DragEvent) => {
      setDragging(false);
      // The drop zone has taken the files already.
      if (event.defaultPrevented) return;
      event.preventDefault();
      if (event.dataTransfer) take(event.dataTransfer);
    };
    const paste = (event: ClipboardEvent) => {
      if (event.clipboardData && event.clipboardData.files.length > 0) {
        event.preventDefault();
        take(event.clipboardData);
      }
    };
    window.addEventListener('dragover', over);
    window.addEventListener('dragleave', leave);
    window.addEventListener('drop', drop);
    window.addEventListener('paste', paste);
    return () => {
      window.removeEventListener('dragover', over);
      window.removeEventListener('dragleave', leave);
      window.removeEventListener('drop', drop);
      window.removeEventListener('paste', paste);
    };
  }, [now]);
  return dragging;
}
