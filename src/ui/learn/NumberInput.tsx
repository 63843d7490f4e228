/** A number that is taken over only when it lies in its range; until then the text stays as typed and the field says so. */
import { useEffect, useState } from 'react';

interface Props { id: string; testId: string; value: number; range: { min: number; max: number; step: number }; onChange(value: number): void }

export function NumberInput({ id, testId, value, range, onChange }: Props) {
  const [text, setText] = useState(String(value));
  useEffect(() => { setText((now) => (now.trim() !== '' && Number(now) === value ? now : String(value))); }, [value]);
  const valid = (typed: string) => typed.trim() !== '' && Number(typed) >= range.min && Number(typed) <= range.max && (range.step !== 1 || Number.isInteger(Number(typed)));
  return (
    <input id={id} data-testid={testId} className="number" inputMode="decimal" value={text} aria-invalid={!valid(text)} title={`${range.min} to ${range.max}`}
      onChange={(event) => { setText(event.target.value); if (valid(event.target.value)) onChange(Number(event.target.value)); }}
      onBlur={() => { if (!valid(text)) setText(String(value)); }} />
  );
}
