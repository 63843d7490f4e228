/** Puts the studio on the page, with a boundary for what React itself cannot show. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ErrorBoundary, type FallbackProps } from 'react-error-boundary';
import type { Studio } from '../state/slice';
import { App } from './App';
import { StudioContext } from './studio';
import '@fontsource-variable/inter';
import './styles/index.css';

function Fallback({ error, resetErrorBoundary }: FallbackProps) {
  return (
    <div className="shelf" role="alert">
      <h1>The page cannot show this.</h1>
      <p className="muted">{error instanceof Error ? error.message : String(error)}</p>
      <p className="muted">Learning goes on in the background, and everything up to the last checkpoint is kept.</p>
      <p className="actions"><button type="button" className="button" onClick={resetErrorBoundary}>Show it again</button><button type="button" className="button primary" onClick={() => location.reload()}>Reload</button></p>
    </div>
  );
}

/** Returns the function that takes it off again. */
export function mount(element: HTMLElement, studio: Studio): () => void {
  const root = createRoot(element);
  root.render(
    <StrictMode>
      <ErrorBoundary FallbackComponent={Fallback}>
        <StudioContext value={studio}><App /></StudioContext>
      </ErrorBoundary>
    </StrictMode>,
  );
  return () => root.unmount();
}
