/** One field of the recipe: its control by type, its range and unit, its reason, and what is wrong with what was typed. */
import { useEffect, useState } from 'react';
import { Switch } from 'radix-ui';
import type { Field, NumberField } from '../../methods/fields';
import { valueOf, type RecipeKey } from '../../protocol/recipe';
import { useActions, useStudio } from '../studio';
import { fieldId } from '../testIds';

const plain = (value: number): string => (value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e10) ? value.toExponential().replace('e+', 'e') : String(value));
const rangeText = (field: NumberField): string => `${plain(field.min)} to ${plain(field.max)}${field.unit ? ` ${field.unit}` : ''}`;

export function RecipeField({ name, field, locked }: { name: RecipeKey; field: Field; locked: boolean }) {
  const problem = useStudio((state) => state.recipeProblems[name]);
  const id = `field-${name}`;
  return (
    <div className="recipe-field">
      <div className="row">
        <label htmlFor={id}>{field.label}{field.term && <span className="note"> {field.term}</span>}</label>
        <Control id={id} name={name} field={field} locked={locked} />
      </div>
      <p className="note" id={`${id}-why`}>{field.why}{field.type === 'number' && <> {rangeText(field)}.</>}</p>
      {problem && <p className="warning" role="alert">{problem}</p>}
    </div>
  );
}

function Control({ id, name, field, locked }: { id: string; name: RecipeKey; field: Field; locked: boolean }) {
  const actions = useActions();
  const value = useStudio((state) => valueOf(state.recipe, name));
  const common = { id, 'data-testid': fieldId(name), disabled: locked, 'aria-describedby': `${id}-why` };
  if (field.type === 'flag') return <Switch.Root {...common} className="switch" checked={value === true} onCheckedChange={(next) => actions.setField(name, next)}><Switch.Thumb className="switch-thumb" /></Switch.Root>;
  if (field.type === 'choice') {
    return <select {...common} className="select" value={String(value)} onChange={(event) => actions.setField(name, event.target.value)}>{field.options.map((option) => <option key={option} value={option}>{option}</option>)}</select>;
  }
  if (field.type === 'number') return <NumberControl {...common} name={name} value={Number(value)} />;
  return <input {...common} className="text" value={String(value)} onChange={(event) => actions.setField(name, event.target.value)} />;
}

/** Keeps what was typed until it is a number in range; the store says what is wrong with it. */
function NumberControl({ name, value, ...rest }: { name: RecipeKey; value: number; id: string; disabled: boolean }) {
  const actions = useActions();
  const wrong = useStudio((state) => state.recipeProblems[name] !== undefined);
  const [text, setText] = useState(plain(value));
  useEffect(() => { setText((now) => (now.trim() !== '' && Number(now) === value ? now : plain(value))); }, [value]);
  return <input {...rest} className="number" inputMode="decimal" value={text} aria-invalid={wrong} onChange={(event) => { setText(event.target.value); actions.setField(name, event.target.value.trim() === '' ? Number.NaN : Number(event.target.value)); }} />;
}
