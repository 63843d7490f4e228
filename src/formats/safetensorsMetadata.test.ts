import { expect, it } from 'vitest';
import { readHeader } from './safetensorsMetadata';

const fileOf = (header: string) => {
  const bytes = new TextEncoder().encode(header);
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(bytes.length), true);
  return new Blob([length.buffer, bytes]);
};

it('reads what a header says of the file, and of its tensors nothing', async () => {
  expect(await readHeader(fileOf('{"__metadata__":{"format":"pt","note":"é"},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'))).toEqual({ format: 'pt', note: 'é' });
  expect(await readHeader(fileOf('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'))).toEqual({});
});

it.each(['{"__metadata__":{"a":1}}', '{"__metadata__":{"a":{"b":"c"}}}', '{"__metadata__":[1]}', '{"__metadata__":"x"}', '{"__metadata__":null}', '["x"]', 'null', '{"__metadata__":'])('takes metadata that are not all text for none: %s', async (header) => {
  expect(await readHeader(fileOf(header))).toEqual({});
});
