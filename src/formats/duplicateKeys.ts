/**
 * Finds a name that an object of a JSON text has twice. JSON.parse silently keeps the last one, so a header could show one
 * tensor to one reader and another to the next. One pass over the text, without recursion; the text must be valid JSON.
 */

/** Index of the quote that ends the string which begins at `from`. */
function stringEnd(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x22) return at;
  }
}

const isSpace = (code: number) => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;

/** The first name that occurs twice in one object, at any depth; null if there is none. */
export function duplicateKey(json: string): string | null {
  const open: (Set<string> | null)[] = []; // null: a list
  for (let at = 0; at < json.length; at++) {
    const sign = json[at];
    if (sign === '{') open.push(new Set());
    else if (sign === '[') open.push(null);
    else if (sign === '}' || sign === ']') open.pop();
    else if (sign === '"') {
      const end = stringEnd(json, at);
      let next = end + 1;
      while (isSpace(json.charCodeAt(next))) next++;
      const names = open.at(-1);
      if (names && json[next] === ':') {
        const raw = json.slice(at + 1, end);
        const name = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
        if (names.has(name)) return name;
        names.add(name);
      }
      at = end;
    }
  }
  return null;
}
