/**
 * The tables of docs/performance.md, written from the reports in docs/bench and from nothing else. In the page a table stands
 * between `<!-- bench PATTERN -->` and `<!-- end -->`: the rows that match, one column of times for each machine, empty
 * where it has no report. `<!-- bench FILE PATTERN -->` shows one report in full, `<!-- machines -->` names adapters.
 */
import { heading, markdownTable, three } from '../report';
import type { Report, ReportRow } from '../row';

/** Columns in their order, by report file; a machine without a file keeps its empty column. */
export const machines: readonly { file: string; title: string }[] = [
  { file: 'wasm.json', title: 'wasm' },
  { file: 'swiftshader.json', title: 'SwiftShader' },
  { file: 'nvidia.json', title: 'NVIDIA' },
];

export type Reports = Record<string, Report | undefined>;

const keyOf = ({ name, shape, rival }: ReportRow) => [name, shape, rival ?? ''].join(' | ');
const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

/** One machine's two cells: our time, and the ratio to the rival. */
const cells = (row: ReportRow | undefined): string[] => {
  if (!row) return ['', ''];
  return row.ours_ms === null ? ['skipped', ''] : [three(row.ours_ms), row.ratio === null ? '' : `${three(row.ratio)}×`];
};

function compared(pattern: RegExp, reports: Reports): string {
  const byMachine = machines.map(({ file }) => new Map((reports[file]?.rows ?? []).filter((row) => pattern.test(keyOf(row))).map((row) => [keyOf(row), row])));
  const keys = [...new Set(byMachine.flatMap((rows) => [...rows.keys()]))];
  return [
    line(['row', 'shape', 'rival', ...machines.flatMap(({ title }) => [`${title} ms`, 'ratio'])]),
    line(['---', '---', '---', ...machines.flatMap(() => ['---:', '---:'])]),
    ...keys.map((key) => {
      const rows = byMachine.map((all) => all.get(key));
      const { name, shape, rival } = rows.find((row) => row !== undefined)!;
      return line([name, shape, rival ?? '', ...rows.flatMap(cells)]);
    }),
  ].join('\n');
}

const named = (reports: Reports): string => machines.map(({ file, title }) => {
  const report = reports[file];
  return `- ${title}: ${report ? heading(report) : 'not measured yet'}`;
}).join('\n');

function section(directive: string, reports: Reports): string {
  if (directive === 'machines') return named(reports);
  const [, file, pattern = ''] = directive.match(/^bench (?:(\S+\.json) )?(.*)$/) ?? [];
  const wanted = new RegExp(pattern, 'i');
  if (!file) return compared(wanted, reports);
  return markdownTable((reports[file]?.rows ?? []).filter((row) => wanted.test(keyOf(row))));
}

/** The page with every table made anew. */
export function fillPage(page: string, reports: Reports): string {
  return page.replace(/<!-- ((?:bench|machines).*?) -->\n[^]*?<!-- end -->/g, (_, directive: string) => `<!-- ${directive} -->\n${section(directive, reports)}\n<!-- end -->`);
}
