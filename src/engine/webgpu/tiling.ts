/**
 * Three ways to cut a linear layer's product into work, and which of them the open adapter does fastest: `large`, 64 × 64
 * results a group through workgroup memory; `small`, 32 × 32; `registers`, no workgroup memory at all. Measured once per
 * adapter (autotune.ts), because vendor tables age; until then real adapters take `small`, software ones `registers`.
 */
export type Tiling = 'large' | 'small' | 'registers';
export interface Tilings { forward: Tiling; gradient: Tiling }

export const TILINGS: readonly Tiling[] = ['large', 'small', 'registers'];

/** Of software adapters: there a barrier costs a switch of all threads. */
export const untuned = (software: boolean): Tilings => (software ? { forward: 'registers', gradient: 'registers' } : { forward: 'small', gradient: 'small' });

let current: Tilings = untuned(true);
export const tilings = (): Tilings => current;
export const setTilings = (chosen: Tilings): void => { current = { ...chosen }; };

/** "large/small": part of what a bit-identical resume needs. */
export const tilingName = ({ forward, gradient }: Tilings): string => `${forward}/${gradient}`;

/** Null for anything but what tilingName wrote. */
export function parseTilings(text: unknown): Tilings | null {
  const [forward, gradient] = String(text).split('/') as (Tiling | undefined)[];
  return forward && gradient && TILINGS.includes(forward) && TILINGS.includes(gradient) ? { forward, gradient } : null;
}
