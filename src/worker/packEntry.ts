/** Where the packing worker begins: layers in, packed layers out. */
import type { Wire } from '../protocol/wire';
import { packed, type PackAnswer, type PackRequest } from './packer';

const wire = self as unknown as Wire;
const answer = (message: PackAnswer, transfer: Transferable[] = []) => wire.postMessage(message, transfer);
wire.addEventListener('message', ({ data }: { data: PackRequest }) => {
  try {
    const made = packed(data.layer);
    answer({ id: data.id, packed: made }, [made.words.buffer, made.scales.buffer]);
  } catch (error) {
    answer({ id: data.id, error: error instanceof Error ? error.message : String(error) });
  }
});
