/** What models and concepts take of this device, what is free, and whether the browser keeps it. */
import type { StorageReport } from '../../protocol/compute';
import { megabytes } from '../format';

export function StorageLine({ baseBytes, conceptBytes, usageBytes, quotaBytes, persisted }: StorageReport) {
  return <p className="note">Stored here {megabytes(baseBytes + conceptBytes)} · free {megabytes(Math.max(0, quotaBytes - usageBytes))} · {persisted ? 'kept until you delete it' : 'the browser may delete it when disk space is short'}</p>;
}
