/** Every method this app has, as the page may know it. A method's name here is the `method` of its recipes. */
import type { MethodMeta } from './meta';
import { pureccMeta } from './purecc/meta';
import { specialistMeta } from './specialist/meta';

export const metas = { purecc: pureccMeta, specialist: specialistMeta } satisfies Record<string, MethodMeta>;

export type MethodId = keyof typeof metas;
