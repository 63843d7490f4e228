/** Config files of checkpoints: what a model asks of one is read in a given form, so that a wrong one is named before it is computed with. */
import * as v from 'valibot';
import { Fault } from '../protocol/faults';

/** A size or a number of things. */
export const count = v.pipe(v.number(), v.integer(), v.minValue(1));

/** The config in the schema's form; fields it doesn't name are left out. Fault `base-mismatch` names the file and the field. */
export function readConfig<T extends v.GenericSchema>(config: unknown, schema: T, path: string): v.InferOutput<T> {
  const read = v.safeParse(schema, config ?? {});
  if (read.success) return read.output;
  const [issue] = read.issues;
  const field = v.getDotPath(issue as v.BaseIssue<unknown>) ?? '';
  throw new Fault('base-mismatch', `The base model’s ${path} is not as this app reads it${field && ` at “${field}”`}: ${issue.message}.`, 'Use the unchanged config of a model that Lamina supports.', { subject: path });
}
