/**
 * The caption triplet. One function derives Base and Target from Complete (methods.md: "derive base by template; show the diff").
 * `[V]` stands for the concept; `[name]` for another concept of the Shelf.
 */
export const CONCEPT_MARK = '[V]';

export interface Captions {
  /** "a [V] dog on a beach" */
  complete: string;
  /** "a dog on a beach" */
  base: string;
  /** "[V] dog" */
  target: string;
}

/** What the text encoder reads at a style's [V], which has no noun behind it: a word beside [V] would be taught along and change every prompt that says it (recipe/results.md). */
export const STYLE_READING = 'picture';

const tidy = (text: string) => text.replace(/\s+/g, ' ').replace(/\s+,/g, ',').replace(/(^[\s,]+|[\s,]+$)/g, '').trim();

/** Base and Target that belong to a Complete caption. A style's trailing clause (", [V]", ", in [V] style") goes as a whole. */
export function deriveCaptions(complete: string, kind: 'instance' | 'style', classWord: string): Captions {
  const word = classWord.trim();
  if (kind === 'style') {
    const clause = /,?\s*(?:in\s+)?\[V\](?:\s+([\p{L}]+))?/iu.exec(complete);
    return { complete, base: tidy(complete.replace(/,?\s*(?:in\s+)?\[V\](?:\s+[\p{L}]+)?/giu, '')), target: tidy(`${CONCEPT_MARK} ${clause?.[1] ?? ''}`) };
  }
  return { complete, base: tidy(complete.replaceAll(CONCEPT_MARK, '')), target: tidy(`${CONCEPT_MARK} ${word}`) };
}

/** What a new picture's captions start from. */
export function prefillCaptions(kind: 'instance' | 'style', classWord: string): Captions {
  const word = classWord.trim();
  return deriveCaptions(kind === 'style' ? `a ${STYLE_READING}, ${CONCEPT_MARK}` : tidy(`a ${CONCEPT_MARK} ${word}`), kind, word);
}

/** What is wrong with a triplet, in words, or null. The trainer refuses what this refuses. */
export function captionProblem(captions: Captions): string | null {
  const count = (text: string) => text.split(CONCEPT_MARK).length - 1;
  if (count(captions.complete) === 0) return `The Complete caption has no ${CONCEPT_MARK}: it marks where the concept stands.`;
  if (count(captions.complete) > 1) return `The Complete caption has ${CONCEPT_MARK} more than once; it may stand only once.`;
  if (count(captions.base) > 0) return `The Base caption may not contain ${CONCEPT_MARK}.`;
  if (tidy(captions.base) === '') return 'The Base caption is empty: say what else is in the picture.';
  if (count(captions.target) !== 1) return `The Target caption must contain ${CONCEPT_MARK} once.`;
  return null;
}
