/** What a base's picture adapters take of the device they are loaded on, beside the transformer: each is held while pictures or persons are seen. */
import { packedGpuBytes } from '../../engine/packed/packedMatrix';
import * as tf from '../../engine/tf';
import { disposePictureAdapter, loadPictureAdapter, type AdapterKind } from '../../models/objectEncoder';
import { packedLayer } from '../../models/weights';
import type { BaseFiles } from '../../models/weightSource';
import { ADAPTER_FOLDERS } from '../../pipeline/base';

export interface AdapterBytes { kind: AdapterKind; bytes: number }

/** In bytes, of those that the base has and can use. `partsStay`: in float32, as bases are held whose parts stay; else its layers in half precision. */
export async function adapterBytes(files: Pick<BaseFiles, 'has' | 'weights'>, partsStay = true): Promise<AdapterBytes[]> {
  const found: AdapterBytes[] = [];
  if (!(await files.has('image_encoder'))) return found;
  for (const kind of Object.keys(ADAPTER_FOLDERS) as AdapterKind[]) {
    if (!(await files.has(ADAPTER_FOLDERS[kind]))) continue;
    const held = () => packedGpuBytes() + tf.memory().numBytes;
    const before = held();
    const adapter = await loadPictureAdapter(await files.weights(ADAPTER_FOLDERS[kind]), kind, partsStay ? undefined : packedLayer({ precision: 'f16' }));
    found.push({ kind, bytes: held() - before });
    disposePictureAdapter(adapter);
  }
  return found;
}
