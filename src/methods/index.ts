/** Every method this app has. One of metas.ts without an entry here is a compile error. */
import type { RecipeOf } from '../protocol/recipe';
import type { Method } from './method';
import type { MethodId } from './metas';
import { pulid } from './pulid';
import { purecc } from './purecc';
import { specialist } from './specialist';

export const methods = { purecc, specialist, pulid } satisfies { [M in MethodId]: Method<RecipeOf<M>> };

export const methodOf = ({ method }: { method: MethodId }): Method => methods[method];
