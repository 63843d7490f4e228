/** A figure with its bar. Without a figure the place is kept, so that nothing jumps when it comes. */
interface Props {
  label: string;
  term: string;
  value: number | null;
  /** Where the bar is full. */
  full: number;
  tone: 'base' | 'concept';
  testId: string;
}

export function Meter({ label, term, value, full, tone, testId }: Props) {
  const share = value === null ? 0 : Math.min(1, Math.max(0, value / full));
  return (
    <div className="meter">
      <div className="row"><span title={term}>{label}</span><output className={`figure ${tone}`} data-testid={testId}>{value === null ? '–' : value.toFixed(2)}</output></div>
      <div className="bar" role="meter" aria-label={`${label} (${term})`} aria-valuemin={0} aria-valuemax={full} aria-valuenow={value ?? 0} aria-valuetext={value === null ? 'not measured yet' : value.toFixed(2)}>
        <div className={`fill ${tone}`} style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}
