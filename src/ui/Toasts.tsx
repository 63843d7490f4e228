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
      const { text, tone, offer } = notice;
      const action = offer ? { label: offer.label, onClick: offer.accept } : undefined;
      if (tone === 'bad') toast.error(text, { action });
      // an offer is read before it is taken
      else toast(text, { action, ...(offer && { duration: 15_000 }) });
    }
  }, [notices]);
  return <Toaster theme={theme} position="top-center" offset={60} closeButton visibleToasts={3} toastOptions={{ style: surface }} />;
}
