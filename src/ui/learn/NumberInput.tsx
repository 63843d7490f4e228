/**
 * A number in a range. While it is typed, only what lies in the range is taken over; when the field is left, the nearest value
 * that is possible stands there, and `onSay` gets the sentence that says so.
 */
import { useEffect, useState } from 'react';

interface Range { label: string; min: number; max: number; step: number }
interface Props { id: string; testId: string; value: number; range: Range; onChange(value: number): void; onSay(text: string): void }

const inRange = (typed: string, { min, max, step }: Range): boolean => typed.trim() !== '' && Number(typed) >= min && Number(typed) <= max && (step !== 1 || Number.isInteger(Number(typed)));

/** The nearest possible value to what was typed, and why; null where nothing of a number was typed. */
export function nearestNumber(typed: string, range: Range): { value: number; said: string } | null {
  const { label, min, max, step } = range;
  const number = Number(typed);
  if (typed.trim() === '' || Number.isNaN(number)) return null;
  const value = Math.min(max, Math.max(min, step === 1 ? Math.round(number) : number));
  return { value, said: `${label.charAt(0).toUpperCase()}${label.slice(1)}: ${min} to ${max}${step === 1 ? ', whole' : ''}. ${typed.trim()} became ${value}.` };
}

export function NumberInput({ id, testId, value, range, onChange, onSay }: Props) {
  const [text, setText] = useState(String(value));
  useEffect(() => { setText((now) => (now.trim() !== '' && Number(now) === value ? now : String(value))); }, [value]);
  const leave = () => {
    if (inRange(text, range)) return;
    const nearest = nearestNumber(text, range);
    onSay(nearest?.said ?? `“${text}” is not a number: ${range.label} stays ${value}.`);
    setText(String(nearest?.value ?? value));
    if (nearest) onChange(nearest.value);
  };
  return (
    <input id={id} data-testid={testId} className="number" inputMode="decimal" value={text} aria-invalid={!inRange(text, range)} title={`${range.min} to ${range.max}`}
      onChange={(event) => { setText(event.target.value); onSay(''); if (inRange(event.target.value, range)) onChange(Number(event.target.value)); }} onBlur={leave} />
  );
}
