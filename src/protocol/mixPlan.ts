/**
 * What each guidance of a mix evaluates, in words: both ends of its difference, each a text with at most one concept in it. Pure, so
 * that the page can say what a step costs and the session makes the same evaluations.
 */
import { CONCEPT_MARK, deriveCaptions, needsClassWord, prefillCaptions, wordPattern, type ConceptWords } from './captions';
import { Fault } from './faults';
import { acting, isPlain, scenesCover, type Mix, type MixGuidance, type ObjectSource, type SeenObject } from './mix';

/** A concept as far as its words go. A world was learned without captions, and is evaluated on nothing. */
export interface MixConcept extends ConceptWords { conceptId: string; name: string }

/** [V] in `words` is the concept's; null is the untouched base. */
export interface MixEnd {
  words: string;
  conceptId: string | null;
  /** A card's object is seen beside the words. */
  object?: SeenObject;
}
export interface MixTerm { guidance: MixGuidance; positive: MixEnd; negative: MixEnd }

/** How a prompt calls a concept: its name in small letters, without what would end the brackets. */
export const nameInPrompt = (name: string): string => name.trim().toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '');

/** Names in brackets that a prompt calls, in order, each once; [V] is none. */
export const calledNames = (prompt: string): string[] => [...new Set([...prompt.matchAll(/\[([^[\]]+)\]/g)].map(([, name]) => name!).filter((name) => name !== 'V'))];

const marked = (text: string, names: readonly string[]) => names.reduce((all, name) => all.replaceAll(`[${name}]`, CONCEPT_MARK), text);
const asInDerived = (text: string): string => deriveCaptions(text, 'instance', '').base;

/** Whether prompts can call it. */
const isNamed = (concept: MixConcept | undefined): boolean => concept !== undefined && concept.kind !== 'world';

interface Words {
  names: Mix['names'];
  concepts: ReadonlyMap<string, MixConcept>;
  /** By card. */
  objects: ReadonlyMap<string, ObjectSource>;
  /** Things that guidances draw into the prompt, by concept or card. */
  drawn: ReadonlyMap<string, Pick<MixConcept, 'classWord'>>;
}

function wordsOf({ names, guidances }: Mix, concepts: Words['concepts']): Words {
  const drawn = guidances.flatMap(({ source, alone }): [string, Pick<MixConcept, 'classWord'>][] => {
    if (source.kind === 'text' || (source.words !== null && !alone)) return [];
    if (source.kind === 'object') return [[source.object.cardId, source]];
    const concept = concepts.get(source.conceptId);
    return concept && needsClassWord(concept.kind) ? [[source.conceptId, concept]] : [];
  });
  return { names, concepts, objects: new Map(guidances.flatMap(({ source }) => (source.kind === 'object' ? [[source.object.cardId, source]] : []))), drawn: new Map(drawn) };
}

function conceptNamed(name: string, { names, concepts }: Words): MixConcept {
  const found = Object.hasOwn(names, name) ? concepts.get(names[name]!) : undefined;
  if (!found) throw new Fault('prompt-invalid', `The prompt calls [${name}], which is no concept of this mix.`, 'Choose a concept of the Shelf, or take the brackets away.', { subject: name });
  return found;
}

const objectNamed = (name: string, { names, objects }: Words): ObjectSource | undefined => (Object.hasOwn(names, name) ? objects.get(names[name]!) : undefined);

/** An object has no token of its own: where it is called, its class word is read. */
const saidAs = (text: string, mark: string, { classWord }: Pick<ObjectSource, 'classWord'>): string => asInDerived([`${mark} ${classWord.trim()}`, mark].reduce((all, each) => all.replaceAll(each, classWord.trim()), text));

/** A prompt without the names that call a card, for one that is taken out of the mix. */
export const withoutCard = (prompt: string, names: readonly string[], card: Pick<ObjectSource, 'classWord'>): string => names.reduce((all, name) => (all.includes(`[${name}]`) ? saidAs(all, `[${name}]`, card) : all), prompt);

/** A text without one name in brackets. */
function without(text: string, name: string, words: Words): string {
  const object = objectNamed(name, words);
  if (object) return saidAs(text, `[${name}]`, object);
  const { kind, classWord } = conceptNamed(name, words);
  return deriveCaptions(marked(text, [name]), kind, classWord).base;
}

/** A text as the untouched base reads it: without its concepts, a style's clause as a whole. `but`: the names that stay, as [V]. */
function withoutConcepts(text: string, words: Words, but: readonly string[] = []): string {
  const others = calledNames(text).filter((name) => !but.includes(name));
  const kept = marked(text, but);
  const held = kept.replaceAll(CONCEPT_MARK, '\u0001');
  const plain = others.reduce((all, name) => without(all, name, words), held);
  return plain.replaceAll('\u0001', CONCEPT_MARK);
}

/** What others draw is a thing to a style: its class word would draw the class beside it. */
const THING = 'thing';
function withThings(text: string, { names, drawn }: Words): string {
  const called = calledNames(text).flatMap((name) => (Object.hasOwn(names, name) && drawn.has(names[name]!) ? [[`[${name}]`, names[name]!] as const] : []));
  const named = called.reduce((all, [mark, id]) => [`${mark} ${drawn.get(id)!.classWord.trim()}`, mark].reduce((told, each) => told.replaceAll(each, THING), all), text);
  const others = [...drawn].filter(([id, { classWord }]) => classWord.trim() !== '' && !called.some(([, known]) => known === id));
  const said = others.reduce((all, [, { classWord }]) => all.replace(wordPattern(classWord.trim()), THING), named);
  return said.replace(/\b([Aa])n (?=thing\b)/g, '$1 ');
}

/** The text with [V] where this concept stands: as it is called, else before its class word, else by itself; a style goes to the end. */
function conceptText(text: string, concept: MixConcept, words: Words): string {
  const mine = Object.entries(words.names).flatMap(([name, id]) => (id === concept.conceptId && text.includes(`[${name}]`) ? [name] : []));
  const told = withoutConcepts(concept.kind === 'style' ? withThings(text, words) : text, words, mine);
  if (told.includes(CONCEPT_MARK)) return told;
  if (concept.kind === 'style') return told === '' ? prefillCaptions('style', '').complete : `${told}, ${CONCEPT_MARK}`;
  const word = concept.classWord.trim();
  const found = word === '' ? null : wordPattern(word).exec(told);
  return found ? `${told.slice(0, found.index)}${CONCEPT_MARK} ${told.slice(found.index)}` : prefillCaptions('instance', word).complete;
}

/** The text as it is where it tells of the object, by name or class word; else the object by itself. */
function objectText(text: string, { object: { cardId }, classWord }: ObjectSource, words: Words): string {
  const told = withoutConcepts(text, words);
  const word = classWord.trim();
  const called = calledNames(text).some((name) => objectNamed(name, words)?.object.cardId === cardId);
  return called || word === '' || wordPattern(word).test(told) ? told : prefillCaptions('instance', word).base;
}

function termOf(guidance: MixGuidance, prompt: string, words: Words): MixTerm {
  const { source, against } = guidance;
  const untouched = (text: string): MixEnd => ({ words: asInDerived(withoutConcepts(text, words)), conceptId: null });
  if (source.kind === 'text') return guidance.alone
    ? { guidance, positive: untouched(source.words ?? prompt), negative: untouched(prompt) }
    : { guidance, positive: untouched(source.words ?? prompt), negative: untouched(against) };
  if (source.kind === 'object') {
    const drawn = untouched(source.words === null ? objectText(prompt, source, words) : saidAs(source.words, CONCEPT_MARK, source));
    const { object } = source;
    return { guidance, positive: { ...drawn, object }, negative: guidance.alone ? untouched(prompt) : drawn };
  }
  const concept = words.concepts.get(source.conceptId);
  if (!concept) throw new Fault('concept-missing', 'A concept of this mix is not on the Shelf.', 'Import its file, or take its guidance away.', { subject: guidance.id });
  if (concept.kind === 'world') return { guidance, positive: { words: '', conceptId: concept.conceptId }, negative: { words: '', conceptId: null } };
  // words of its own are taken as they stand: without [V] they ask what the concept does to them unasked
  const complete = source.words === null ? conceptText(prompt, concept, words) : withoutConcepts(source.words, words);
  const instead = guidance.alone ? untouched(prompt) : { words: deriveCaptions(complete, concept.kind, concept.classWord).base, conceptId: null };
  return { guidance, positive: { words: complete, conceptId: concept.conceptId }, negative: instead };
}

/** The prompt without concepts, and every guidance's ends, in the mix's order. Faults `prompt-invalid`, `concept-missing` with what they concern. */
export function planMix(mix: Mix, concepts: ReadonlyMap<string, MixConcept>): { plain: string; terms: MixTerm[] } {
  const words = wordsOf(mix, concepts);
  return { plain: asInDerived(withoutConcepts(mix.prompt, words)), terms: mix.guidances.map((guidance) => termOf(guidance, mix.prompt, words)) };
}

/** What a guidance evaluates, as a sentence. */
export function termInWords({ positive, negative }: MixTerm): string {
  const quoted = (words: string) => (words === '' ? 'nothing' : `“${words}”`);
  const seen = positive.object !== undefined && positive.object.strength > 0;
  const same = positive.words === negative.words && (seen || positive.conceptId !== null);
  return `Towards ${quoted(positive.words)}${seen ? ' with the card seen' : ''}, away from ${same ? 'the same without it' : quoted(negative.words)}.`;
}

/** The prompt's own text, as classifier-free guidance has it. */
const isPrompt = ({ source, against, weight, schedule, mask }: MixGuidance): boolean => source.kind === 'text' && source.words === null && against === '' && weight === 1 && schedule.kind === 'constant' && mask.kind === 'everywhere';

/** An object of strength 0 is not seen. */
const keyOf = ({ words, conceptId, object }: MixEnd): string => JSON.stringify([words, conceptId, object && object.strength > 0 ? object : undefined]);
const NOTHING: MixEnd = { words: '', conceptId: null };

/**
 * Evaluations of the model a step: each end that acts once, v0 among them; of a scene its words and v0 in a picture of its own. Where scenes alone
 * stand on the prompt and share the whole picture, they are all; other ends whose weights cancel are not counted out.
 */
export function evaluationsOf(mix: Mix, concepts: ReadonlyMap<string, MixConcept>): number {
  const on = new Set(acting(mix.guidances).map(({ id }) => id));
  const terms = planMix(mix, concepts).terms.filter(({ guidance }) => on.has(guidance.id));
  const scenes = new Set(terms.filter(({ guidance }) => guidance.alone).map(({ positive }) => keyOf(positive)));
  const others = terms.filter(({ guidance }) => !guidance.alone);
  if (isPlain(mix.composition) && scenesCover(terms.map(({ guidance }) => guidance)) && others.every(({ guidance }) => isPrompt(guidance))) return 2 * scenes.size;
  const ends = terms.flatMap(({ guidance, positive, negative }) => (guidance.alone ? [negative] : [positive, negative]));
  return new Set([NOTHING, ...ends].map(keyOf)).size + 2 * scenes.size;
}

/**
 * One prompt for all concepts at once, as merged LoRAs are prompted: every acting concept is called by a name of its own, c0, c1 …
 * Where the prompt does not call it, it stands before its class word, a style at the end; one with words of its own is called only where the prompt calls it.
 */
export function mergedPrompt(mix: Mix, concepts: ReadonlyMap<string, MixConcept>): { prompt: string; names: Record<string, string> } {
  const words = wordsOf(mix, concepts);
  const used = acting(mix.guidances).flatMap(({ source }) => (source.kind === 'concept' && isNamed(concepts.get(source.conceptId)) ? [source.conceptId] : []));
  const ids = [...new Set(used)];
  const unused = calledNames(mix.prompt).filter((name) => objectNamed(name, words) || !ids.includes(conceptNamed(name, words).conceptId));
  const start = unused.reduce((all, name) => without(all, name, words), mix.prompt);
  const byItself = new Set(acting(mix.guidances).flatMap(({ source }) => (source.kind === 'concept' && source.words !== null ? [source.conceptId] : [])));
  const prompt = ids.reduce((all, id, n) => {
    const concept = concepts.get(id)!;
    const called = Object.entries(mix.names).filter(([name, named]) => named === id && all.includes(`[${name}]`)).map(([name]) => name);
    if (called.length > 0) return called.reduce((text, name) => text.replaceAll(`[${name}]`, `[c${n}]`), all);
    if (byItself.has(id)) return all;
    const found = concept.kind === 'style' || concept.classWord.trim() === '' ? -1 : all.search(wordPattern(concept.classWord.trim()));
    return found >= 0 ? `${all.slice(0, found)}[c${n}] ${all.slice(found)}` : `${all}, [c${n}]${concept.kind === 'style' ? '' : ` ${concept.classWord}`}`;
  }, start);
  return { prompt, names: Object.fromEntries(ids.map((id, n) => [`c${n}`, id])) };
}
