/** One small chart by uPlot: lines against steps, or points against sigma; names stand at the lines' ends, colours come from the tokens. */
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Columns } from './series';

export interface Line { label: string; token: string; dashed?: boolean }

interface Props {
  columns: Columns;
  lines: readonly Line[];
  points: boolean;
  /** Fixed ends of the x axis. */
  range: [number, number];
  /** Ends of the y axis from the least and greatest value. */
  scale(low: number, high: number): [number, number];
  label: string;
  testId: string;
  theme: string;
}

const HEIGHT = 100;
const FONT = "'Inter Variable', sans-serif";
/** Between the last point and a line's name, in CSS px. */
const NAME_GAP = 6;
/** Room to the right of the last point for the names, in CSS px. */
function roomFor(lines: readonly Line[]): number {
  const ruler = document.createElement('canvas').getContext('2d')!;
  ruler.font = `11px ${FONT}`;
  return Math.ceil(Math.max(...lines.map(({ label }) => ruler.measureText(label).width))) + 2 * NAME_GAP;
}

/** Least distance of two names, in CSS px. */
const NAME_HEIGHT = 13;

/** Places for names wanted at `wanted`, in the same order: at least NAME_HEIGHT apart and above `bottom`. */
function apart(wanted: readonly number[], bottom: number, height: number): number[] {
  const order = wanted.map((_, n) => n).sort((a, b) => wanted[a]! - wanted[b]!);
  const placed = [...wanted];
  order.forEach((n, at) => { if (at > 0) placed[n] = Math.max(placed[n]!, placed[order[at - 1]!]! + height); });
  for (let at = order.length - 1, limit = bottom; at >= 0; at--, limit -= height) placed[order[at]!] = Math.min(placed[order[at]!]!, limit);
  return placed;
}

/** Names at the last value of each line, pushed apart where they would overlap. */
function drawNames(chart: uPlot, lines: readonly Line[], colour: (token: string) => string) {
  const { ctx } = chart;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * ratio}px ${FONT}`;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  const named = lines.flatMap((line, n) => {
    const column = chart.data[n + 1] as (number | null)[];
    const at = column.findLastIndex((value) => value !== null);
    return at < 0 ? [] : [{ line, x: chart.valToPos(chart.data[0][at]!, 'x', true), y: chart.valToPos(column[at]!, 'y', true) }];
  });
  const heights = apart(named.map(({ y }) => y), chart.bbox.top + chart.bbox.height - 6 * ratio, NAME_HEIGHT * ratio);
  named.forEach(({ line, x }, n) => {
    ctx.fillStyle = colour(line.token);
    ctx.fillText(line.label, x + NAME_GAP * ratio, heights[n]!);
  });
  ctx.restore();
}

export function Chart({ columns, lines, points, range, scale, label, testId, theme }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const newest = useRef<Columns>([]);
  const [from, to] = range;

  useEffect(() => {
    newest.current = columns;
    chart.current?.setData(columns as uPlot.AlignedData);
  }, [columns]);

  useEffect(() => {
    const target = holder.current;
    if (!target) return;
    const style = getComputedStyle(target);
    const colour = (token: string) => style.getPropertyValue(token).trim();
    const made = new uPlot({
      width: target.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { y: false, points: { size: 6 } }, padding: [8, points ? 10 : roomFor(lines), 0, 0],
      scales: { x: { time: false, range: () => [from, to] }, y: { range: (_chart, low, high) => scale(low ?? 0, high ?? 1) } },
      axes: [
        { size: 20, font: `11px ${FONT}`, stroke: colour('--faint'), grid: { show: false }, ticks: { show: false }, splits: () => [from, (from + to) / 2, to], values: (_chart, splits) => splits.map((value) => (points ? `σ ${value}` : String(Math.round(value)))) },
        { size: 34, gap: 4, font: `11px ${FONT}`, stroke: colour('--faint'), grid: { stroke: colour('--line'), width: 1, dash: [2, 3] }, ticks: { show: false }, space: 34, values: (_chart, splits) => splits.map((value) => Number(value.toPrecision(2)).toString()) },
      ],
      series: [{}, ...lines.map((line): uPlot.Series => ({
        label: line.label, stroke: colour(line.token), width: 1.5, dash: line.dashed ? [4, 3] : [], spanGaps: true,
        points: points ? { show: true, size: 3, fill: colour(line.token), stroke: colour(line.token) } : { show: false }, ...(points ? { paths: () => null } : {}),
      }))],
      hooks: { draw: points ? [] : [(drawn) => drawNames(drawn, lines, colour)] },
    }, newest.current as uPlot.AlignedData, target);
    chart.current = made;
    const resize = new ResizeObserver(() => made.setSize({ width: target.clientWidth, height: HEIGHT }));
    resize.observe(target);
    return () => { resize.disconnect(); made.destroy(); chart.current = null; };
  }, [lines, points, scale, from, to, theme]);

  return <div ref={holder} className="chart" role="img" aria-label={label} data-testid={testId} style={{ height: HEIGHT }} />;
}
