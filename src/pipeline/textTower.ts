/** A base's text encoders as one tower: CLIP alone, or SD3's pair side by side, with T5 behind them where the base has it; and what they are given to read. */
import { loadClipText } from '../models/clip';
import { loadT5 } from '../models/t5';
import { clipTower, sd3Tower, type TextTokens, type TextTower } from '../models/text';
import { makeT5Tokenizer, type T5Tokenizer } from '../models/tokenizer/t5';
import type { Tokenizer } from '../models/tokenizer';
import type { BaseFiles } from '../models/weightSource';

/**
 * Tokens of T5, and zero tokens in their place where there is no T5: the length SD3's training scripts give it, so 154 text tokens in all. A LoRA learned
 * here meets as many in diffusers with max_sequence_length=77, where no third encoder is loaded.
 */
export const T5_TOKENS = 77;

/** T5's words; null for a base without a T5. */
export const loadT5Tokenizer = async (files: BaseFiles): Promise<T5Tokenizer | null> => ((await files.has('text_encoder_3')) ? makeT5Tokenizer(await files.json('tokenizer_3/tokenizer.json'), T5_TOKENS) : null);

/** Texts as every encoder of the base reads them. `t5Texts`: where a T5 reads others. */
export const textTokens = ({ tokenizer, t5Tokenizer }: { tokenizer: Tokenizer; t5Tokenizer: T5Tokenizer | null }, texts: readonly string[], t5Texts = texts): TextTokens => ({ clip: texts.map(tokenizer.encode), ...(t5Tokenizer && { t5: t5Texts.map(t5Tokenizer.encode) }) });

/** streamBytes: room for T5's layers, which alone take gigabytes. */
export async function loadTextTower(files: BaseFiles, streamBytes?: number): Promise<TextTower> {
  const load = async (folder: string) => loadClipText(await files.weights(folder), await files.json(`${folder}/config.json`));
  const first = await load('text_encoder');
  if (!(await files.has('text_encoder_2'))) return clipTower(first);
  const [, contextWidth = 0] = (await files.weights('transformer')).shape('context_embedder.weight');
  const second = await load('text_encoder_2');
  const t5 = (await files.has('text_encoder_3')) ? await loadT5(await files.weights('text_encoder_3'), await files.json('text_encoder_3/config.json'), { ...(streamBytes !== undefined && { streamBytes }) }) : null;
  return sd3Tower({ clip: [{ encoder: first, padId: first.endId }, { encoder: second, padId: 0 }], t5, contextWidth, zeroTokens: T5_TOKENS });
}
