/**
 * The small vocabulary in which a method declares its parameters (see meta.ts). Pure data plus types:
 * the panel, the validator and the URL all read the same table.
 */
interface Common {
  label: string;
  /** The expert's name for it, where it differs from the label. */
  term?: string;
  /** One line of why, shown under the field. */
  why: string;
  group: string;
  /** Shown only with bases of this kind: `withoutT5`, one that could have a T5 and has none; `objects`, one with an object encoder. Elsewhere it changes nothing. */
  only?: 'withoutT5' | 'objects';
  /** Its default on any base but the embedded one, where that needs another. */
  large?: string | number | boolean;
  /** What a recipe means that was written before this field was there; its default unless told. */
  absent?: string | number | boolean | { sameAs: string };
}
export interface NumberField extends Common { type: 'number'; default: number; min: number; max: number; integer?: boolean; unit?: string; scale?: 'log' }
export interface ChoiceField<T extends string = string> extends Common {
  type: 'choice';
  default: T;
  options: readonly T[];
  /** What values of earlier versions, as text, are read as. */
  earlier?: Readonly<Record<string, T>>;
}
export interface FlagField extends Common { type: 'flag'; default: boolean }
export interface TextField extends Common { type: 'text'; default: string; maxLength: number }
export type Field = NumberField | ChoiceField | FlagField | TextField;
export type Fields = Record<string, Field>;

export type ValuesOf<F extends Fields> = {
  -readonly [K in keyof F]: F[K] extends { type: 'number' } ? number : F[K] extends { type: 'flag' } ? boolean : F[K] extends ChoiceField<infer T> ? T : string;
};

export const number = (field: Omit<NumberField, 'type'>): NumberField => ({ type: 'number', ...field });
export const flag = (field: Omit<FlagField, 'type'>): FlagField => ({ type: 'flag', ...field });
export const choice = <const T extends string>(options: readonly T[], field: Omit<ChoiceField<NoInfer<T>>, 'type' | 'options'>): ChoiceField<T> => ({ type: 'choice', options, ...field });
