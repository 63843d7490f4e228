/**
 * How SD3 joins its encoders: CLIP's hidden states side by side, filled with zeros up to the transformer's text width, T5's tokens
 * behind them; CLIP's pooled vectors side by side. Without T5 there are two customs, and they differ, because zero tokens become
 * the text embedding's bias and are attended to: diffusers puts zero tokens there (256 unless told otherwise), others nothing.
 */
import { concat, pad, tidy, zeros, type Tensor2D, type Tensor3D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { EncodedTokens } from './tower';

/** What stands behind CLIP's tokens: T5's hidden states [B,T,contextWidth], or so many zero tokens. */
export type Tail = Tensor3D | number;

/** clip: each encoder's hidden states and pooled vectors, rows of one batch. → context [B, L + T, contextWidth], pooled [B, sum]. The caller disposes. */
export function joinText(clip: readonly EncodedTokens[], contextWidth: number, tail: Tail): EncodedTokens {
  const width = clip.reduce((sum, { context }) => sum + context.shape[2], 0);
  const [batch = 0, length = 0] = clip[0]?.context.shape ?? [];
  invariant(width <= contextWidth, `text encoders of ${width} numbers a token for a transformer that reads ${contextWidth}`);
  invariant(clip.every(({ context }) => context.shape[0] === batch && context.shape[1] === length), 'the text encoders were given different prompts');
  invariant(typeof tail === 'number' || (tail.shape[0] === batch && tail.shape[2] === contextWidth), `a third text encoder must give ${batch} × ${contextWidth} numbers a token`);
  const joined = () => {
    const beside = concat(clip.map(({ context }) => context), 2) as Tensor3D;
    const wide = width < contextWidth ? (pad(beside, [[0, 0], [0, 0], [0, contextWidth - width]]) as Tensor3D) : beside;
    const behind = typeof tail === 'number' ? (zeros([batch, tail, contextWidth]) as Tensor3D) : tail;
    return { context: tail === 0 ? wide : (concat([wide, behind], 1) as Tensor3D), pooled: concat(clip.map(({ pooled }) => pooled), 1) as Tensor2D };
  };
  return tidy(joined);
}
