/** Every method this app has, as the page may know it. A method's name here is the `method` of its recipes. */
import type { MethodMeta } from './meta';
import { pureccMeta } from './purecc/meta';

export const metas = { purecc: pureccMeta } satisfies Record<string, MethodMeta>;

export type MethodId = keyof typeof metas;
