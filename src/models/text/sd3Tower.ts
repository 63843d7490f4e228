/**
 * SD3's text encoders as one: CLIP-L and CLIP-G side by side, behind them T5's tokens or, without a T5, as many zero tokens as the
 * caller wants (diffusers 256, the training scripts 77, others none).
 */
import { invariant } from '../../engine/invariant';
import type { ClipText } from '../clip';
import type { Between } from '../steps';
import { disposeT5, encodeT5Async, type T5Encoder } from '../t5';
import { clipTower } from './clipTower';
import { joinText } from './join';
import type { EncodedTokens, TextTower } from './tower';

/** padId: what stands behind the end marker: CLIP-L was trained with the end marker there, CLIP-G with 0. */
export interface TowerEncoder { encoder: ClipText; padId: number }

export interface Sd3Towers {
  /** CLIP-L, then CLIP-G. */
  clip: readonly TowerEncoder[];
  t5: T5Encoder | null;
  /** Of the transformer. */
  contextWidth: number;
  /** In place of T5's tokens where there is no T5. */
  zeroTokens?: number;
}

/** Everything behind the first end marker becomes `padId`. */
export function padded(ids: readonly number[], endId: number, padId: number): number[] {
  const end = ids.indexOf(endId);
  return ids.map((id, i) => (end >= 0 && i > end ? padId : id));
}

const pass: Between = async () => {};

/** The encoders become the tower's. */
export function sd3Tower({ clip, t5, contextWidth, zeroTokens = 0 }: Sd3Towers): TextTower {
  const towers = clip.map(({ encoder }) => clipTower(encoder));
  invariant(clip.length > 0 && (!t5 || t5.width === contextWidth), `a T5 of ${t5?.width} numbers a token for a transformer that reads ${contextWidth}`);
  return {
    tables: towers.flatMap(({ tables }) => tables),
    contextWidth,
    pooledWidth: towers.reduce((sum, { pooledWidth }) => sum + pooledWidth, 0),
    readsT5: t5 !== null,
    zeroTokens: t5 ? 0 : zeroTokens,
    async encode(tokens, between = pass, { added, ...options } = {}) {
      invariant(!t5 || tokens.t5, 'this base has a T5: it needs T5’s tokens too');
      const parts: EncodedTokens[] = [];
      let tail: Awaited<ReturnType<typeof encodeT5Async>> | null = null;
      try {
        for (const [i, { encoder, padId }] of clip.entries()) {
          const ids = tokens.clip.map((row) => padded(row, encoder.endId, padId));
          parts.push(await towers[i]!.encode({ clip: ids }, between, { ...options, ...(added?.[i] && { added: [added[i]!] }) }));
        }
        if (t5) tail = await encodeT5Async(t5, tokens.t5!, between);
        return joinText(parts, contextWidth, tail ?? zeroTokens);
      } finally {
        tail?.dispose();
        parts.forEach(({ context, pooled }) => {
          context.dispose();
          pooled.dispose();
        });
      }
    },
    dispose() {
      towers.forEach((tower) => tower.dispose());
      if (t5) disposeT5(t5);
    },
  };
}
