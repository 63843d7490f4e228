/** Writes safetensors files larger than memory: the header first, then tensor after tensor from whatever gives their bytes. */
import { open } from 'node:fs/promises';

export interface TensorBytes { key: string; dtype: 'F16' | 'BF16' | 'F32'; shape: readonly number[]; /** In order, together the tensor's bytes. */ pieces(): Iterable<Uint8Array> | AsyncIterable<Uint8Array> }

const SIZE = { F16: 2, BF16: 2, F32: 4 };
export const sizeOf = ({ dtype, shape }: Pick<TensorBytes, 'dtype' | 'shape'>): number => shape.reduce((product, size) => product * size, SIZE[dtype]);

/** Bytes of the file. */
export async function writeCheckpoint(path: string, tensors: readonly TensorBytes[], metadata: Record<string, string> = {}): Promise<number> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt', ...metadata } };
  let at = 0;
  for (const tensor of tensors) {
    header[tensor.key] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [at, at + sizeOf(tensor)] };
    at += sizeOf(tensor);
  }
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  json.copy(head, 8);
  const file = await open(path, 'w');
  try {
    await file.write(head);
    for (const { key, pieces, ...tensor } of tensors) {
      let written = 0;
      for await (const piece of pieces()) {
        await file.write(piece);
        written += piece.byteLength;
      }
      if (written !== sizeOf(tensor)) throw new Error(`${key}: ${written} bytes written, ${sizeOf(tensor)} promised`);
    }
  } finally {
    await file.close();
  }
  return head.length + at;
}
