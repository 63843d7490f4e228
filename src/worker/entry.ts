/** Where the session worker begins: the wire on one side, the session on the other. */
import { serializeFault } from '../protocol/faults';
import { serve } from '../protocol/host';
import { makeSession } from './session';

const host = serve(self as unknown as Parameters<typeof serve>[0], makeSession);
// What nobody awaited is still said.
self.addEventListener('unhandledrejection', ({ reason }) => host.emit('fault', serializeFault(reason)));
