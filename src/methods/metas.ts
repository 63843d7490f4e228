/** Every method this app has, as the page may know it. A method's name here is the `method` of its recipes. */
import type { MethodMeta } from './meta';
import { pulidMeta } from './pulid/meta';
import { pureccMeta } from './purecc/meta';
import { specialistMeta } from './specialist/meta';

export const metas = { purecc: pureccMeta, specialist: specialistMeta, pulid: pulidMeta } satisfies Record<string, MethodMeta>;

export type MethodId = keyof typeof metas;
