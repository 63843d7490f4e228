/**
 * A number in a range. While it is typed, only what lies in the range is taken over; when the field is left, the nearest value
 * that is possible stands there, and `onSay` gets the sentence that says so.
 */
import { useEffect, useState } from 'react';
import { isWithin, nearestTo, type NumberRange } from '../../state/params';

interface Props { id: string; testId: string; value: number; range: NumberRange; onChange(value: number): void; onSay(text: string): void }

const inRange = (typed: string, range: NumberRange): boolean => typed.trim() !== '' && isWithin(Number(typed), range);

/** The nearest possible value to what was typed, and why; null where nothing of a number was typed. */
export const nearestNumber = (typed: string, range: NumberRange): { value: number; said: string } | null =>
  (typed.trim() === '' || Number.isNaN(Number(typed)) ? null : nearestTo(Number(typed), range, typed.trim()));

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
