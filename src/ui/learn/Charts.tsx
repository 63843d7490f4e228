/** Losses, λ* and cos(r, g): against the step, or against sigma. */
import { useMemo } from 'react';
import { metaOf } from '../../protocol/recipe';
import { figure } from '../format';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { useTheme } from '../theme';
import { Chart, type Line } from './Chart';
import { lambdaBySigma, lambdaScale, lambdaBySteps, lossBySigma, lossBySteps, lossScale, newest } from './series';

/** How the losses are drawn, in the method's order. */
const lossStyles: readonly Omit<Line, 'label'>[] = [{ token: '--text' }, { token: '--concept' }, { token: '--base', dashed: true }];
const lambdaLines: readonly Line[] = [{ label: 'λ*', token: '--concept' }, { label: 'cos(r, g)', token: '--muted', dashed: true }];

export function Charts() {
  const actions = useActions();
  const metrics = useStudio((state) => state.metrics);
  const total = useStudio((state) => state.run?.totalSteps ?? 1);
  const against = useStudio((state) => state.chartsAgainst);
  const theme = useTheme();
  const recipe = useStudio((state) => state.run?.recipe ?? state.recipe);
  const { losses: named } = metaOf(recipe);
  const names = useMemo(() => named.map(({ name }) => name), [named]);
  const lossLines = useMemo(() => named.map(({ label }, i) => ({ label, ...lossStyles[i % lossStyles.length]! })), [named]);
  const bySigma = against === 'sigma';
  const loss = useMemo(() => (bySigma ? lossBySigma(metrics, names) : lossBySteps(metrics, names)), [metrics, bySigma, names]);
  const lambda = useMemo(() => (bySigma ? lambdaBySigma(metrics) : lambdaBySteps(metrics)), [metrics, bySigma]);
  const steps = useMemo(() => lambdaBySteps(metrics), [metrics]);
  const losses = useMemo(() => lossBySteps(metrics, names), [metrics, names]);
  const [lastFlow, lastLambda, lastCosine] = [newest(losses[1]), newest(steps[1]), newest(steps[2])];
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
      <div className="row section">
        <h2>λ* and agreement</h2>
        <span className="note">{lastLambda === null ? 'from stage 2 on' : `λ* ${lastLambda.toFixed(2)} · cos ${(lastCosine ?? 0).toFixed(2)}`}</span>
      </div>
      <Chart columns={lambda} lines={lambdaLines} points={bySigma} range={range} scale={lambdaScale} label={`λ* and the cosine of r and g against ${against}`} testId={bySigma ? ids.chartSigma : ids.chartLambda} theme={theme} />
    </div>
  );
}
