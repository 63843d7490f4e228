/**
 * The caption triplet. Base and Target follow from Complete and from what the concept is, until they are written by hand; one
 * function says what all three become when any of that changes. `[V]` stands for the concept; further ones, [name], stand in prompts alone.
 */
export const CONCEPT_MARK = '[V]';

/** A thing, a style, a world (what many pictures have in common, learned without a word), or a person, whose captions are a thing's. */
export type ConceptKind = 'instance' | 'style' | 'world' | 'person';

/** Whether what is learned has to be called something in general. */
export const needsClassWord = (kind: ConceptKind): boolean => kind === 'instance' || kind === 'person';

/** What decides how a prompt is read. A world has no word and no mark of its own. */
export interface Spoken { kind: ConceptKind; classWord?: string; trigger?: string }

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
export function deriveCaptions(complete: string, kind: ConceptKind, classWord: string): Captions {
  const word = classWord.trim();
  if (kind === 'world') return { complete, base: tidy(complete.replaceAll(CONCEPT_MARK, '')), target: '' };
  if (kind === 'style') {
    const clause = /,?\s*(?:in\s+)?\[V\](?:\s+([\p{L}]+))?/iu.exec(complete);
    return { complete, base: tidy(complete.replace(/,?\s*(?:in\s+)?\[V\](?:\s+[\p{L}]+)?/giu, '')), target: tidy(`${CONCEPT_MARK} ${clause?.[1] ?? ''}`) };
  }
  return { complete, base: tidy(complete.replaceAll(CONCEPT_MARK, '')), target: tidy(`${CONCEPT_MARK} ${word}`) };
}

/** What a new picture's captions start from. */
export function prefillCaptions(kind: ConceptKind, classWord: string): Captions {
  const word = classWord.trim();
  if (kind === 'world') return { complete: '', base: '', target: '' };
  return deriveCaptions(kind === 'style' ? `a ${STYLE_READING}, ${CONCEPT_MARK}` : tidy(`a ${CONCEPT_MARK} ${word}`), kind, word);
}

/** What the concept is: decides what follows from a Complete caption. */
export interface ConceptWords { kind: ConceptKind; classWord: string }
export type CaptionChange = { which: keyof Captions; text: string } | { to: ConceptWords };

/** A whole word, so that “dog” is not found in “doghouse”. */
export const wordPattern = (word: string) => new RegExp(`(?<![\\p{L}\\p{N}])${word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\p{L}\\p{N}])`, 'u');

/** A Complete caption said again for what the concept is now. */
function completeFor(complete: string, base: string, from: ConceptWords, to: ConceptWords): string {
  const [before, after] = [from.classWord.trim(), to.classWord.trim()];
  if (complete === prefillCaptions(from.kind, before).complete) return prefillCaptions(to.kind, after).complete;
  if (needsClassWord(from.kind) && to.kind === 'style') return `${base}, ${CONCEPT_MARK}`;
  if (from.kind === 'style' && needsClassWord(to.kind)) {
    const found = after === '' ? null : wordPattern(after).exec(base);
    return found ? `${base.slice(0, found.index)}${CONCEPT_MARK} ${base.slice(found.index)}` : tidy(`a ${CONCEPT_MARK} ${after}, ${base}`);
  }
  if (to.kind === 'style' || complete.includes(`${CONCEPT_MARK} ${after}`)) return complete;
  return complete.replace(before === '' ? CONCEPT_MARK : new RegExp(`\\[V\\] ${wordPattern(before).source}`, 'u'), () => `${CONCEPT_MARK} ${after}`);
}

/**
 * All three captions after a change: one of them edited, or the concept's kind or class word. Base and Target go along while they
 * are what follows from Complete; written by hand they stay, but for the class word in them.
 */
export function changeCaptions(captions: Captions, words: ConceptWords, change: CaptionChange): Captions {
  const derived = deriveCaptions(captions.complete, words.kind, words.classWord);
  if ('which' in change) {
    if (change.which !== 'complete') return { ...captions, [change.which]: change.text };
    const next = deriveCaptions(change.text, words.kind, words.classWord);
    return { complete: change.text, base: captions.base === derived.base ? next.base : captions.base, target: captions.target === derived.target ? next.target : captions.target };
  }
  const { to } = change;
  const [before, after] = [words.classWord.trim(), to.classWord.trim()];
  const said = (text: string) => (needsClassWord(words.kind) && needsClassWord(to.kind) && before !== '' && after !== '' ? text.replace(wordPattern(before), () => after) : text);
  const complete = completeFor(captions.complete, captions.base, words, to);
  const next = deriveCaptions(complete, to.kind, after);
  return { complete, base: captions.base === derived.base ? next.base : said(captions.base), target: captions.target === derived.target ? next.target : said(captions.target) };
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
