/** The first visit's right column: the four steps, and what this device brings. */
import { megabytes } from '../format';
import { useStudio } from '../studio';

const steps = [
  { title: 'Drop', text: 'A few pictures and one class word. Captions are filled in; change what is wrong.' },
  { title: 'Learn', text: 'First the concept alone, then the concept without touching the rest.' },
  { title: 'Balance', text: 'Slide between the untouched model and your concept while it still learns.' },
  { title: 'Keep', text: 'A LoRA file in the form that other tools use, with its recipe inside.' },
];

const worldSteps = [
  { title: 'Drop', text: 'A folder of 20 to 2,000 pictures that belong together. No captions, no class word.' },
  { title: 'Learn', text: 'What they have in common, under the empty prompt. Words stay with the untouched base.' },
  { title: 'Balance', text: 'Slide any prompt from the untouched model towards your world while it still learns.' },
  { title: 'Keep', text: 'A LoRA on the Shelf, for mixing with others.' },
];

export function HowItGoes() {
  const world = useStudio((state) => state.recipe.kind === 'world');
  return (
    <>
      <h2>How it goes</h2>
      <ol className="how">
        {(world ? worldSteps : steps).map(({ title, text }, n) => (
          <li key={title}><span className="how-number" aria-hidden>{n + 1}</span><div><h3>{title}</h3><p className="note">{text}</p></div></li>
        ))}
      </ol>
    </>
  );
}

export function ThisDevice() {
  const compute = useStudio((state) => state.compute);
  const storage = useStudio((state) => state.storage);
  return (
    <div className="device">
      <h2>This device</h2>
      <dl className="facts">
        <dt>Compute</dt><dd>{compute ? computeName(compute.backend, compute.adapter) : 'looking'}</dd>
        <dt>Stored here</dt><dd>{storage ? megabytes(storage.usageBytes) : '–'}</dd>
        <dt>Free for weights</dt><dd>{storage ? megabytes(Math.max(0, storage.quotaBytes - storage.usageBytes)) : '–'}</dd>
      </dl>
      {compute && compute.reason !== '' && <p className="note">{compute.reason}</p>}
      <p className="note">Works without a network after this visit.</p>
    </div>
  );
}

const backendNames: Record<string, string> = { webgpu: 'WebGPU', wasm: 'WebAssembly', cpu: 'Plain JavaScript' };

/** "WebGPU, Apple M3"; the adapter's own name already says wasm where that is it. */
function computeName(backend: string, adapter: string): string {
  return /^wasm/i.test(adapter) ? adapter : `${backendNames[backend] ?? backend}, ${adapter}`;
}
