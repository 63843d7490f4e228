/** Lines of a POSIX shell script that starts a trainer. */

/** A text as one word of the shell, whatever stands in it. */
export const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** Arguments of a trainer: a text or number, true for a bare flag; false is left out. `$NAME` at the start stays a variable of the script. */
export type Arguments = Readonly<Record<string, string | number | boolean>>;

/** A variable with what follows it is left to the shell. */
const written = (value: string | number): string => (typeof value === 'number' ? String(value) : /^\$[A-Z]+(\/[\w./-]*)?$/.test(value) ? `"${value}"` : quoted(value));

export function command(program: string, given: Arguments): string {
  const lines = Object.entries(given).filter(([, value]) => value !== false).map(([name, value]) => (value === true ? `--${name}` : `--${name}=${written(value as string | number)}`));
  return [program, ...lines].join(' \\\n  ');
}

/** A whole script: where it stands, the variables that may be set from outside, then the commands. */
export function script(comment: readonly string[], variables: Readonly<Record<string, string>>, commands: readonly string[]): string {
  const settings = Object.entries(variables).map(([name, value]) => `${name}=\${${name}:-${value}}`);
  return `${['#!/bin/sh', ...comment.map((line) => `# ${line}`), 'set -e', 'cd "$(dirname "$0")"', ...settings, ...commands.flatMap((each) => ['', each])].join('\n')}\n`;
}
