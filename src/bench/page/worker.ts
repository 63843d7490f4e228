/** The bench in a worker, where the product computes too: opens the backend, then lists its rows or runs some of them. */
import { openBackend } from '../../engine/backend';
import { wasmFiles } from '../../engine/wasm/wasmFiles';
import { heading, reportJson, textTable } from '../report';
import { allRows } from '../rows';
import { anyFailed, runBench, timingOf } from '../run';
import type { Ask, Told } from './messages';

const tell = (told: Told) => self.postMessage(told);

async function answer({ backend, only, host, list }: Ask): Promise<void> {
  const compute = await openBackend(backend, { threads: null, wasmPaths: wasmFiles });
  if (list) {
    const rows = allRows(compute, timingOf(compute)).map((row) => ('measure' in row ? { name: row.name, shape: '', rival: null } : { name: row.name, shape: row.shape, rival: row.rival?.name ?? null }));
    return tell({ kind: 'list', rows, adapter: compute.adapter });
  }
  const report = await runBench(compute, { only, host, onRow: (row) => tell({ kind: 'row', row }) });
  tell({ kind: 'done', text: `${heading(report)}\n${textTable(report.rows)}`, json: reportJson(report), failed: anyFailed(report) });
}

self.onmessage = ({ data }: MessageEvent<Ask>) => {
  answer(data).catch((error: unknown) => tell({ kind: 'failed', message: error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error) }));
};
