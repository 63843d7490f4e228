/** What a base is called on the page. */
import { EMBEDDED } from '../../state/models';
import { useStudio } from '../studio';

export const useModelName = (id: string): string => useStudio(({ models }) => (id === EMBEDDED ? 'the embedded base' : `“${models.find(({ modelId }) => modelId === id)?.name ?? 'another model'}”`));
