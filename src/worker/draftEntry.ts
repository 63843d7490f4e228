/** Where the draft worker begins. */
import { stayAlive } from '../protocol/alive';
import type { Wire } from '../protocol/wire';
import { serveDrafts } from './drafting';
import { browserPlatform } from './platform';

const wire = self as unknown as Wire;
stayAlive(wire);
serveDrafts(wire, browserPlatform());
