/** Losses, and the figures that the method has of each sample: against the step, or against sigma. */
import { useMemo } from 'react';
import { metaOf } from '../../protocol/recipe';
import { figure } from '../format';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { useTheme } from '../theme';
import { Chart, type Line } from './Chart';
import { figureScale, figuresBySigma, figuresBySteps, lossBySigma, lossBySteps, lossScale, newest } from './series';

/** How the losses are drawn, in the method's order. */
const lossStyles: readonly Omit<Line, 'label'>[] = [{ token: '--text' }, { token: '--concept' }, { token: '--base', dashed: true }];
const figureStyles: readonly Omit<Line, 'label'>[] = [{ token: '--concept' }, { token: '--muted', dashed: true }];

export function Charts() {
  const actions = useActions();
  const metrics = useStudio((state) => state.metrics);
  const total = useStudio((state) => state.run?.totalSteps ?? 1);
  const against = useStudio((state) => state.chartsAgainst);
  const theme = useTheme();
  const recipe = useStudio((state) => state.run?.recipe ?? state.recipe);
  const { losses: named, figures, stages } = metaOf(recipe);
  const names = useMemo(() => named.map(({ name }) => name), [named]);
  const lossLines = useMemo(() => named.map(({ label }, i) => ({ label, ...lossStyles[i % lossStyles.length]! })), [named]);
  const bySigma = against === 'sigma';
  const loss = useMemo(() => (bySigma ? lossBySigma(metrics, names) : lossBySteps(metrics, names)), [metrics, bySigma, names]);
  const shown = useMemo(() => figures.map(({ name }) => name), [figures]);
  const figureLines = useMemo(() => figures.map(({ term }, i) => ({ label: term, ...figureStyles[i % figureStyles.length]! })), [figures]);
  const scale = useMemo(() => figureScale(figures.map(({ range: usual }) => usual)), [figures]);
  const ofFigures = useMemo(() => (bySigma ? figuresBySigma(metrics, shown) : figuresBySteps(metrics, shown)), [metrics, bySigma, shown]);
  const steps = useMemo(() => figuresBySteps(metrics, shown), [metrics, shown]);
  const losses = useMemo(() => lossBySteps(metrics, names), [metrics, names]);
  const lastFlow = newest(losses[1]);
  const last = figures.flatMap(({ term }, i) => {
    const value = newest(steps[i + 1]);
    return value === null ? [] : [`${term} ${value.toFixed(2)}`];
  });
  const begins = stages.findIndex(({ id }) => id === figures[0]?.from);
  const range: [number, number] = bySigma ? [0, 1] : [0, total];
  return (
    <div className="charts">
      <div className="row section">
        <h2 title={named.map(({ label, term }) => `${label}: ${term}`).join(' · ')}>Loss</h2>
        <div className="row">
          <Segmented small label="Charts against" value={against} onChange={actions.setChartsAgainst} options={[{ value: 'step', label: 'step', testId: ids.chartsByStep }, { value: 'sigma', label: 'σ', testId: ids.chartsBySigma }]} />
          <span className="note chart-figure">{lastFlow === null ? '–' : figure(lastFlow)}</span>
        </div>
      </div>
      <Chart columns={loss} lines={lossLines} points={bySigma} range={range} scale={lossScale} label={`Losses against ${against}`} testId={ids.chartLoss} theme={theme} />
      {figures.length > 0 && (
        <>
          <div className="row section">
            <h2>{figures.map(({ label }) => label).join(' and ')}</h2>
            <span className="note">{last.length > 0 ? last.join(' · ') : begins > 0 ? `from stage ${begins + 1} on` : ''}</span>
          </div>
          <Chart columns={ofFigures} lines={figureLines} points={bySigma} range={range} scale={scale} label={`${figures.map(({ term }) => term).join(' and ')} against ${against}`} testId={bySigma ? ids.chartSigma : ids.chartLambda} theme={theme} />
        </>
      )}
    </div>
  );
}
