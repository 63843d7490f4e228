/** Where the session worker begins: the wire on one side, the session on the other. */
import { serve } from '../protocol/host';
import { makeSession } from './session';

serve(self as unknown as Parameters<typeof serve>[0], makeSession);
