/** Where the packing worker begins: layers in, packed layers out. */
import { packed, type PackAnswer, type PackRequest } from './packer';

const scope = self as unknown as { addEventListener(kind: 'message', listen: (event: { data: PackRequest }) => void): void; postMessage(message: PackAnswer, transfer: Transferable[]): void };
scope.addEventListener('message', ({ data: { id, layer } }) => {
  try {
    const made = packed(layer);
    scope.postMessage({ id, packed: made }, [made.words.buffer, made.scales.buffer]);
  } catch (error) {
    scope.postMessage({ id, error: error instanceof Error ? error.message : String(error) }, []);
  }
});
