/** A report as text: the table of the command line, and the same in Markdown for the docs. Figures stand in three digits. */
import type { Report, ReportRow } from './row';

export const three = (value: number): string => (value === 0 ? '0' : value >= 999.5 ? String(Math.round(value)) : value.toPrecision(3));

const shown = (value: number | null, unit = ''): string => (value === null ? '' : `${three(value)}${unit}`);
const gigabytesPerSecond = ({ bytes, ours_ms: ms }: ReportRow): number | null => (bytes === null || ms === null ? null : bytes / ms / 1e6);

const columns: { title: string; right: boolean; of(row: ReportRow): string }[] = [
  { title: 'row', right: false, of: (row) => row.name },
  { title: 'shape', right: false, of: (row) => row.shape },
  { title: 'ours ms', right: true, of: (row) => (row.skipped ? 'skipped' : shown(row.ours_ms)) },
  { title: 'rival', right: false, of: (row) => row.rival ?? '' },
  { title: 'rival ms', right: true, of: (row) => shown(row.rival_ms) },
  { title: 'ratio', right: true, of: (row) => shown(row.ratio, '×') },
  { title: 'GFLOP/s', right: true, of: (row) => shown(row.gflops) },
  { title: 'GB/s', right: true, of: (row) => shown(gigabytesPerSecond(row)) },
];

const cells = (row: ReportRow): string[] => columns.map(({ of }, i) => of(row) + (i === columns.length - 1 && row.skipped ? row.skipped : ''));

/** Lines of equal columns, a header first. */
export function textTable(rows: readonly ReportRow[]): string {
  const all = [columns.map(({ title }) => title), ...rows.map(cells)];
  const widths = columns.map((_, i) => Math.max(...all.map((line) => (i === columns.length - 1 ? 0 : line[i]!.length))));
  return all.map((line) => line.map((cell, i) => (columns[i]!.right ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  ').trimEnd()).join('\n');
}

export function markdownTable(rows: readonly ReportRow[]): string {
  const line = (parts: string[]) => `| ${parts.join(' | ')} |`;
  return [line(columns.map(({ title }) => title)), line(columns.map(({ right }) => (right ? '---:' : '---'))), ...rows.map((row) => line(cells(row)))].join('\n');
}

export const heading = ({ adapter, backend, host, tilings }: Report): string => `${backend} on ${adapter}, ${host}${tilings ? `, linear tilings ${tilings}` : ''}`;

/** What `--json` writes; times keep five digits. */
export const reportJson = (report: Report): string =>
  `${JSON.stringify(report, (key, value: unknown) => (typeof value === 'number' && key !== 'bytes' ? Number(value.toPrecision(5)) : value), 1)}\n`;
