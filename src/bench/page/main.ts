/**
 * The bench as a page: lists the rows of the backend, runs the one that is clicked, shows its times and ratio. Open
 * src/bench/index.html in `npm run dev`; ?backend=webgpu or wasm chooses. `npm run bench` opens the same page without a
 * screen and calls `runBench`. Not part of the built app.
 */
import { textTable, three } from '../report';
import type { ReportRow } from '../row';
import type { Ask, Told } from './messages';

const backend = (new URLSearchParams(location.search).get('backend') ?? 'auto') as Ask['backend'];
const host = navigator.userAgent.match(/(Chrome|Firefox|Safari)\/[\d.]+/)?.[0].replace('/', ' ') ?? navigator.userAgent;
const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });

/** One question at a time; `onRow` hears each row as it is done. */
function ask<K extends 'list' | 'done'>(kind: K, only: string, onRow: (row: ReportRow) => void = () => {}): Promise<Extract<Told, { kind: K }>> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Told>) => {
      if (data.kind === 'row') onRow(data.row);
      else if (data.kind === kind) resolve(data as Extract<Told, { kind: K }>);
      else if (data.kind === 'failed') reject(new Error(data.message));
    };
    worker.onerror = ({ message }) => reject(new Error(message || 'the bench worker could not be loaded'));
    worker.postMessage({ backend, only, host, list: kind === 'list' } satisfies Ask);
  });
}

/** For scripts/bench.mjs; `say` gets one line a row. */
async function runBench(only: string, say: (line: string) => void): Promise<{ text: string; json: string; failed: boolean }> {
  return ask('done', only, (row) => say(textTable([row]).split('\n')[1]!));
}
Object.assign(globalThis, { runBench });

const exactly = (text: string) => `^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;

async function showList(): Promise<void> {
  const { rows, adapter } = await ask('list', '');
  document.querySelector('h1')!.textContent = `Bench on ${adapter}`;
  const table = document.querySelector('tbody')!;
  let busy = false;
  for (const { name, shape, rival } of rows) {
    const line = table.insertRow();
    for (const text of [name, shape, '', rival ?? '', '', '']) line.insertCell().textContent = text;
    const button = document.createElement('button');
    button.textContent = 'Run';
    button.onclick = async () => {
      if (busy) return;
      busy = true;
      line.dataset['state'] = 'running';
      const found: ReportRow[] = [];
      await ask('done', exactly(`${name} ${shape} ${rival ?? ''}`.trim()), (row) => found.push(row)).catch((error: unknown) => { line.title = String(error); });
      busy = false;
      line.dataset['state'] = found.length > 0 ? 'done' : 'failed';
      const [row] = found;
      if (found.length > 1) document.querySelector('pre')!.textContent = textTable(found);
      else if (row) [null, null, row.ours_ms, null, row.rival_ms, row.ratio].forEach((value, i) => { if (value !== null) line.cells[i]!.textContent = three(value); });
      if (row?.skipped) line.cells[2]!.textContent = row.skipped;
    };
    line.insertCell().append(button);
  }
}

if (!new URLSearchParams(location.search).has('headless')) void showList();
