/** Where the session worker begins: the wire on one side, the session on the other. */
import { stayAlive } from '../protocol/alive';
import { serializeFault } from '../protocol/faults';
import { serve } from '../protocol/host';
import type { Wire } from '../protocol/wire';
import { browserPlatform } from './platform';
import { makeSession } from './session';

const wire = self as unknown as Wire;
stayAlive(wire);
const host = serve(wire, (made) => makeSession(made, browserPlatform()));
// What nobody awaited is still said.
self.addEventListener('unhandledrejection', ({ reason }) => host.emit('fault', serializeFault(reason)));
