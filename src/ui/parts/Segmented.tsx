/** One of a few, side by side: radio buttons in a row. */
import { ToggleGroup } from 'radix-ui';

interface Props<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; label: string; testId?: string }[];
  onChange(value: T): void;
  disabled?: boolean;
  small?: boolean;
}

export function Segmented<T extends string>({ label, value, options, onChange, disabled, small }: Props<T>) {
  return (
    <ToggleGroup.Root type="single" className={small ? 'segmented small' : 'segmented'} aria-label={label} value={value} disabled={disabled} onValueChange={(next) => { if (next !== '') onChange(next as T); }}>
      {options.map((option) => (
        <ToggleGroup.Item key={option.value} value={option.value} className="segment" data-testid={option.testId}>{option.label}</ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
