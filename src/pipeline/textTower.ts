/** A base's text encoders as one tower: CLIP alone, or SD3's pair side by side. */
import { loadClipText } from '../models/clip';
import { clipTower, sd3Tower, type TextTower } from '../models/text';
import type { BaseFiles } from '../models/weightSource';

/**
 * Zero tokens in T5's place where there is no T5: the length SD3's training scripts give it, so 154 text tokens in all. A LoRA learned
 * here meets as many in diffusers with max_sequence_length=77, where no third encoder is loaded.
 */
export const ZERO_TOKENS = 77;

export async function loadTextTower(files: BaseFiles): Promise<TextTower> {
  const load = async (folder: string) => loadClipText(await files.weights(folder), await files.json(`${folder}/config.json`));
  const first = await load('text_encoder');
  if (!(await files.has('text_encoder_2'))) return clipTower(first);
  const [, contextWidth = 0] = (await files.weights('transformer')).shape('context_embedder.weight');
  const second = await load('text_encoder_2');
  return sd3Tower({ clip: [{ encoder: first, padId: first.endId }, { encoder: second, padId: 0 }], t5: null, contextWidth, zeroTokens: ZERO_TOKENS });
}
