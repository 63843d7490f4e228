/**
 * Encoded prompts by their text, the latest used of them: previews, probes and draws ask for the same few again and again, and
 * with large text encoders each costs seconds. What it hands out are handles of the caller's own; it is freed with its base.
 */
import * as tf from '../engine/tf';
import type { EncodedPrompts } from './base';

/** Sets of prompts kept. One of the embedded base takes some 20 kB a prompt, one of SD3.5 about 2.5 MB. */
const KEPT_PROMPTS = 24;

const handles = (words: EncodedPrompts): EncodedPrompts => ({ ...words, context: tf.clone(words.context), pooled: tf.clone(words.pooled), at: [...words.at] });
const free = ({ context, pooled }: EncodedPrompts): void => tf.dispose([context, pooled]);

export class PromptCache {
  /** Oldest use first. */
  private readonly kept = new Map<string, EncodedPrompts>();

  constructor(private readonly limit = KEPT_PROMPTS) {}

  get size(): number {
    return this.kept.size;
  }

  /** What `encode` makes of the texts, made once while they are kept. The caller disposes. */
  async encoded(texts: readonly string[], readings: object, encode: () => Promise<EncodedPrompts>): Promise<EncodedPrompts> {
    const key = JSON.stringify([texts, readings]);
    const made = this.kept.has(key) ? null : await encode();
    // another may have asked for the same meanwhile, and was first
    const first = this.kept.get(key);
    if (made && first) free(made);
    const words = first ?? made!;
    this.kept.delete(key);
    this.kept.set(key, words);
    for (const [oldest, old] of this.kept) {
      if (this.kept.size <= this.limit) break;
      this.kept.delete(oldest);
      free(old);
    }
    return handles(words);
  }

  dispose(): void {
    this.kept.forEach(free);
    this.kept.clear();
  }
}
