/** Text from outside as JSON of a given form: the one door for it, so that nothing unchecked goes on under a type it does not have. */
import * as v from 'valibot';

/** What the text says, in the schema's form; null where it is no JSON or of another form. */
export function readJson<T extends v.GenericSchema>(text: string, schema: T): v.InferOutput<T> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const read = v.safeParse(schema, value);
  return read.success ? read.output : null;
}
