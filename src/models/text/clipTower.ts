/** A CLIP text encoder alone, as the embedded base has it: hidden states after the last layer but one, and the projected pooled vector. */
import { disposeClipText, encodeTextAsync, type ClipText } from '../clip';
import type { Between } from '../steps';
import type { TextTower } from './tower';

const pass: Between = async () => {};

/** The encoder becomes the tower's. */
export function clipTower(clip: ClipText): TextTower {
  return {
    tables: [{ vocabulary: clip.tokens.vocabulary, width: clip.tokens.width }],
    contextWidth: clip.tokens.width,
    pooledWidth: clip.projection?.outFeatures ?? clip.tokens.width,
    readsT5: false,
    zeroTokens: 0,
    async encode(tokens, between = pass, { added, pooling } = {}) {
      const { context, pooled, lastNormed } = await encodeTextAsync(clip, tokens.clip, between, { ...(added?.[0] && { added: added[0] }), ...(pooling && { pooling }) });
      lastNormed.dispose();
      return { context, pooled };
    },
    dispose: () => disposeClipText(clip),
  };
}
