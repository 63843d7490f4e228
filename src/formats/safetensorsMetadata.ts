/** The metadata of a safetensors file, for showing what an export says: the header's `__metadata__` strings, nothing else is read. */
import * as v from 'valibot';
import { readJson } from './json';

const LENGTH_BYTES = 8;
/** Headers above this are not ours; reading one would only cost memory. */
const MOST_HEADER_BYTES = 4_000_000;

const metadata = v.object({ __metadata__: v.optional(v.record(v.string(), v.string()), {}) });

/** Empty where the file has none that can be read; what is wrong with them, whoever reads the tensors says. */
export async function readHeader(file: Blob): Promise<Record<string, string>> {
  const length = Number(new DataView(await file.slice(0, LENGTH_BYTES).arrayBuffer()).getBigUint64(0, true));
  if (length === 0 || length > MOST_HEADER_BYTES || length > file.size - LENGTH_BYTES) return {};
  return readJson(await file.slice(LENGTH_BYTES, LENGTH_BYTES + length).text(), metadata)?.__metadata__ ?? {};
}
