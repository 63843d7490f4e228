/** Throws when a programmer's assumption does not hold; users' errors are Faults instead. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant: ${message}`);
}
