/** In the place of the package `webgpu` in a bundle without packages: its native module, which lies beside the program. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

interface Dawn { create(options: string[]): GPU; globals: object }

export const { create, globals } = createRequire(import.meta.url)(join(dirname(process.argv[1]!), 'dawn.node')) as Dawn;
