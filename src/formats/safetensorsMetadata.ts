/** The metadata of a safetensors file, for showing what an export says: the header's `__metadata__` strings, nothing else is read. */
const LENGTH_BYTES = 8;
/** Headers above this are not ours; reading one would only cost memory. */
const MOST_HEADER_BYTES = 4_000_000;

/** Empty where the file has no metadata. */
export async function readHeader(file: Blob): Promise<Record<string, string>> {
  const length = Number(new DataView(await file.slice(0, LENGTH_BYTES).arrayBuffer()).getBigUint64(0, true));
  if (length === 0 || length > MOST_HEADER_BYTES || length > file.size - LENGTH_BYTES) return {};
  const header = JSON.parse(await file.slice(LENGTH_BYTES, LENGTH_BYTES + length).text()) as { __metadata__?: Record<string, string> };
  return header.__metadata__ ?? {};
}
