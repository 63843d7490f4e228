/** Notices that have no place of their own, as toasts. */
import { useEffect, useRef } from 'react';
import { Toaster, toast } from 'sonner';
import { useStudio } from './studio';
import { useTheme } from './theme';

/** The studio's own panel and type instead of the library's. */
const surface = { fontFamily: 'var(--font)', fontSize: 'var(--size)', background: 'var(--raised)', borderColor: 'var(--line-strong)', color: 'var(--text)' };

export function Toasts() {
  const notices = useStudio((state) => state.notices);
  const theme = useTheme();
  const seen = useRef(0);
  useEffect(() => {
    for (const notice of notices) {
      if (notice.id <= seen.current) continue;
      seen.current = notice.id;
      if (notice.tone === 'bad') toast.error(notice.text);
      else toast(notice.text);
    }
  }, [notices]);
  return <Toaster theme={theme} position="top-center" offset={60} closeButton visibleToasts={3} toastOptions={{ style: surface }} />;
}
