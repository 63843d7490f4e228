/**
 * The engine's figures under `?hud`: a strip of its own at the page's lower edge, so that it covers nothing. Nothing in it
 * takes the focus, and screen readers are not told of each change.
 */
import type { KernelShare, TraceReport } from '../protocol/compute';
import { megabytes } from './format';
import { useStudio } from './studio';
import { ids } from './testIds';

const MISSING = '–';
const ms = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
const bytes = (value: number | null): string => (value === null ? MISSING : megabytes(value));

/** Chromium alone tells how much JavaScript its page holds. */
const pageHeap = (): number | null => (performance as { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize ?? null;

function figures({ clock, step, memory, peakBytes }: TraceReport): { id: string; name: string; value: string; title?: string }[] {
  const kernels = { gpu: 'GPU', worker: 'kernels', none: 'GPU' }[clock ?? 'none'];
  const untimed = clock === null ? 'This adapter has no timestamp queries.' : undefined;
  return [
    { id: 'step', name: step ? `step ${step.step}` : 'step', value: step ? ms(step.stepMs) : MISSING },
    { id: 'kernels', name: kernels, value: step && clock ? ms(step.kernelMs) : MISSING, title: untimed },
    { id: 'tensors', name: 'tensors', value: String(memory.tensors) },
    { id: 'bytes', name: 'bytes', value: `${bytes(memory.bytes)}, peak ${bytes(peakBytes)}` },
    memory.wasmBytes === null
      ? { id: 'gpu', name: 'GPU memory', value: `${bytes(memory.gpuUsedBytes)} of ${bytes(memory.gpuAllocatedBytes)}`, title: 'In use, of what is allocated' }
      : { id: 'gpu', name: 'wasm heap', value: bytes(memory.wasmBytes) },
    { id: 'heap', name: 'page heap', value: bytes(pageHeap()) },
  ];
}

const share = ({ name, calls, ms: time }: KernelShare, all: number) => ({ name, text: `${Math.round((100 * time) / all)} %`, title: `${calls} calls, ${ms(time)}` });

export function Hud() {
  const shown = useStudio((state) => state.hud);
  const trace = useStudio((state) => state.trace);
  if (!shown) return null;
  const step = trace?.step;
  const longest = step && step.kernelMs > 0 ? step.kernels.map((kernel) => share(kernel, step.kernelMs)) : [];
  return (
    <aside className="hud" aria-label="Engine figures" data-testid={ids.hud}>
      <dl>
        {trace ? figures(trace).map(({ id, name, value, title }) => <div key={id} title={title} data-testid={`hud-${id}`}><dt>{name}</dt><dd>{value}</dd></div>) : <div><dt>engine</dt><dd>starting</dd></div>}
      </dl>
      <dl data-testid={ids.hudTop}>
        {longest.length > 0 ? longest.map(({ name, text, title }) => <div key={name} title={title}><dt>{name}</dt><dd>{text}</dd></div>) : <div><dt>kernels of a step</dt><dd>{MISSING}</dd></div>}
      </dl>
    </aside>
  );
}
