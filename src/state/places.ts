/** Where a thing is shown beside the picture of the prompt: places that are said in a few words every base knows. */
import { CONCEPT_MARK } from '../protocol/captions';
import { unknownWords } from './words';

/** Thumbnails of “the same, elsewhere”. */
export const PLACES = 4;

const places = ['at night', 'in a city', 'in a forest', 'in a room', 'on a beach', 'in the snow', 'in a desert', 'on grass'];

/** Prompts of the thing in other places than the prompt says; words the base doesn't know are left out. */
export function placePrompts(classWord: string, prompt: string, vocabulary: ReadonlySet<string>): string[] {
  const thing = classWord.trim() === '' ? CONCEPT_MARK : `${CONCEPT_MARK} ${classWord.trim()}`;
  return places.filter((place) => !prompt.includes(place) && unknownWords(place, vocabulary).length === 0).slice(0, PLACES).map((place) => `a ${thing} ${place}`);
}
