/**
 * Attention over tokens-first q [B,N,H,d], k and v [B,M,H,d] without a matrix of N × M scores, neither computed whole nor
 * kept: kernels `FlashAttention` and `FlashAttentionGradient` on WebGPU (shaders/flash_attention*.wgsl). Saved are q, k,
 * v, the result and the log-sum-exp; the way back recomputes the probabilities. The composed form is in ops/attention.ts.
 * Source: Dao, FlashAttention-2 (2023), without its split of one query over several groups.
 */
import inputsCode from '../../../shaders/attention_inputs.wgsl?raw';
import deltaCode from '../../../shaders/flash_attention_delta.wgsl?raw';
import gradientKvRegistersCode from '../../../shaders/flash_attention_gradient_kv_registers.wgsl?raw';
import gradientKvTilesCode from '../../../shaders/flash_attention_gradient_kv_tiles.wgsl?raw';
import gradientQRegistersCode from '../../../shaders/flash_attention_gradient_q_registers.wgsl?raw';
import gradientQTilesCode from '../../../shaders/flash_attention_gradient_q_tiles.wgsl?raw';
import registersCode from '../../../shaders/flash_attention_registers.wgsl?raw';
import tilesCode from '../../../shaders/flash_attention_tiles.wgsl?raw';
import productCode from '../../../shaders/tile_product.wgsl?raw';
import { adapterTraits } from '../webgpu/adapterTraits';
import { allocate, dispatch, dispatchSlices, internals, uniforms, type Member } from '../webgpu/dispatch';
import { withGradient } from '../ops/withGradient';
import { engine, registerKernel, type NamedTensorMap, type Tensor2D, type Tensor4D, type TensorInfo } from '../tf';

/** `tiles` goes through workgroup memory; `registers` has no barrier, which is what an adapter on the processor wants. */
export type AttentionVariant = 'tiles' | 'registers';
export interface FlashOptions { causal: boolean; keyMask: Tensor2D | null; variant?: AttentionVariant }
interface Attributes { causal: boolean; variant: AttentionVariant }

/** Channels of a head: vectors of four, and as many sums as a thread's registers hold. */
const MOST_WIDTH = 128;
export const coversWidth = (width: number): boolean => width % 4 === 0 && width <= MOST_WIDTH;

/** Rows (queries, or keys) a group of 32 × 32 tiles holds, and those of a thread of the other variant. */
const ROWS = { tiles: 32, registers: 4 } as const;

const parts = { tiles: inputsCode + productCode, registers: inputsCode } as const;
const codes = {
  tiles: { flash_attention: tilesCode, flash_attention_gradient_q: gradientQTilesCode, flash_attention_gradient_kv: gradientKvTilesCode },
  registers: { flash_attention: registersCode, flash_attention_gradient_q: gradientQRegistersCode, flash_attention_gradient_kv: gradientKvRegistersCode },
} as const;

/** Products of queries by keys by width that each kernel makes. */
const PRODUCTS = { flash_attention: 2, flash_attention_gradient_q: 3, flash_attention_gradient_kv: 4 } as const;

/** Over all heads of all `rows` (queries or keys). */
function launch(backend: unknown, name: keyof (typeof codes)['tiles'], bound: TensorInfo[], q: TensorInfo, k: TensorInfo, rows: number, masked: boolean, { causal, variant }: Attributes): void {
  const [batch, queries, heads, width] = q.shape as [number, number, number, number];
  const constants = { WIDTH: width, CAUSAL: causal ? 1 : 0, MASKED: masked ? 1 : 0 };
  const members: Member[] = [['u', batch], ['u', queries], ['u', k.shape[1]!], ['u', heads], ['f', 1 / Math.sqrt(width)]];
  const flops = 2 * PRODUCTS[name] * batch * heads * queries * k.shape[1]! * width;
  const tiles = batch * heads * Math.ceil(rows / ROWS[variant]);
  dispatchSlices(backend, { name: `${name}_${variant}`, code: parts[variant] + codes[variant][name], constants }, bound, members, variant === 'tiles' ? tiles : Math.ceil(tiles / 64), flops);
}

registerKernel({
  kernelName: 'FlashAttention',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { q, k, v, keyMask } = inputs as { q: TensorInfo; k: TensorInfo; v: TensorInfo; keyMask?: TensorInfo };
    const out = [allocate(backend, q.shape), allocate(backend, q.shape.slice(0, 3))];
    launch(backend, 'flash_attention', [q, k, v, keyMask ?? q, ...out], q, k, q.shape[1]!, !!keyMask, attrs as unknown as Attributes);
    return out;
  },
});

registerKernel({
  kernelName: 'FlashAttentionGradient',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { q, k, v, keyMask, out, lse, dy } = inputs as { q: TensorInfo; k: TensorInfo; v: TensorInfo; keyMask?: TensorInfo; out: TensorInfo; lse: TensorInfo; dy: TensorInfo };
    const given = attrs as unknown as Attributes;
    const [batch, queries, heads, width] = q.shape as [number, number, number, number];
    const rows = batch * queries * heads;
    const stats = allocate(backend, [rows, 2]);
    dispatch(backend, { name: 'flash_attention_delta', code: deltaCode, constants: { WIDTH: width } }, [out, dy, lse, stats], uniforms([['u', rows]]), Math.ceil(rows / 64));
    const read = [q, k, v, keyMask ?? q, dy, stats];
    const [dq, dk, dv] = [allocate(backend, q.shape), allocate(backend, k.shape), allocate(backend, v.shape)];
    launch(backend, 'flash_attention_gradient_q', [...read, dq], q, k, queries, !!keyMask, given);
    launch(backend, 'flash_attention_gradient_kv', [...read, dk, dv], q, k, k.shape[1]!, !!keyMask, given);
    internals(backend).disposeData(stats.dataId);
    return [dq, dk, dv];
  },
});

const run = (kernelName: string, inputs: NamedTensorMap, attrs: Attributes): Tensor4D[] =>
  engine().runKernel(kernelName, inputs, attrs as unknown as Parameters<ReturnType<typeof engine>['runKernel']>[2]) as unknown as Tensor4D[];

/** As `attention`; the variant is the adapter's unless named. The head width must be one that coversWidth allows. */
export function flashAttention(q: Tensor4D, k: Tensor4D, v: Tensor4D, { causal, keyMask, variant = adapterTraits.software ? 'registers' : 'tiles' }: FlashOptions): Tensor4D {
  const attrs: Attributes = { causal, variant };
  const named = (mask: Tensor2D | undefined | null): NamedTensorMap => (mask ? { keyMask: mask } : {});
  return withGradient(
    { q, k, v },
    (save) => {
      const [out, lse] = run('FlashAttention', { q, k, v, ...named(keyMask) }, attrs) as [Tensor4D, Tensor4D];
      save([q, k, v, out, lse, ...(keyMask ? [keyMask] : [])]);
      return out;
    },
    (dy, saved) => {
      const [keptQ, keptK, keptV, out, lse, mask] = saved as [Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor2D?];
      const [dq, dk, dv] = run('FlashAttentionGradient', { q: keptQ, k: keptK, v: keptV, out, lse, dy, ...named(mask) }, attrs) as [Tensor4D, Tensor4D, Tensor4D];
      return { q: () => dq, k: () => dk, v: () => dv };
    },
  );
}
