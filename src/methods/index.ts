/** Every method this app has. A recipe's `method` without an entry here is a compile error. */
import type { Recipe } from '../protocol/recipe';
import type { Method } from './method';
import { purecc } from './purecc';

export const methods = { purecc } satisfies Record<Recipe['method'], Method>;
