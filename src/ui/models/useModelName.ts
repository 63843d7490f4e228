/** What a base is called inside a sentence. */
import { EMBEDDED } from '../../protocol/models';
import { useStudio } from '../studio';

export const useModelName = (id: string): string => useStudio(({ models }) => {
  const name = models.find(({ modelId }) => modelId === id)?.name;
  return id === EMBEDDED ? 'the embedded base' : name === undefined ? 'another model' : `“${name}”`;
});
