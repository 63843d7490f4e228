/** The plan as the table that docs and terminal show. */
import { ADAPTER_MEMORIES, fitOf, type Fit, type MemoryPlan } from '../../protocol/fit';
import { KEPT_PRECISIONS, PICTURE_SIDES } from '../../protocol/models';

const cell = ({ verdict, streamed, bytes, instead }: Fit) =>
  `${verdict === 'streams' ? `streams ${streamed} blocks` : verdict}${verdict === 'does not fit' && instead ? ` (${instead} would)` : ''}, ${(bytes / 1e9).toFixed(1)} GB`;

/** Markdown: one line for each adapter, precision and task. */
export function fitTable(plan: MemoryPlan): string {
  const tasks = [...new Map(plan.rows.map(({ task, rank }) => [`${task} ${rank}`, { task, rank }])).values()];
  const lines = ADAPTER_MEMORIES.flatMap((gb) => KEPT_PRECISIONS.flatMap((precision) => tasks.map((task) => {
    const cells = PICTURE_SIDES.map((size) => cell(fitOf(plan, task, size, gb * 1e9, precision)!));
    return `| ${gb} GB | ${precision} | ${task.task === 'draw' ? 'draw' : `learn, rank ${task.rank}`} | ${cells.join(' | ')} |`;
  })));
  return [`| adapter | weights | task | ${PICTURE_SIDES.map((size) => `${size} px`).join(' | ')} |`, `|---|---|---|${'---|'.repeat(PICTURE_SIDES.length)}`, ...lines].join('\n');
}
