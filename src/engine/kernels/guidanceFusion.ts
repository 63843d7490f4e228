/**
 * Guidance fusion: v0 + Σ wᵢ·mᵢ⊙(vᵢ − v0). Kernel `GuidanceFusion` on WebGPU (shaders/guidance_fusion.wgsl, four terms
 * a dispatch), composed ops elsewhere; both take terms of weight 0 for absent, so that they change nothing, not even NaN.
 * Gradients for v0 and the terms: dv0 = dy·(1 − Σ wᵢmᵢ), dvᵢ = wᵢmᵢ·dy. Weights and masks are constants.
 */
import code from '../../../shaders/guidance_fusion.wgsl?raw';
import { allocate, dispatch, uniforms } from '../webgpu/dispatch';
import { invariant } from '../invariant';
import { alias, withGradient } from '../ops/withGradient';
import { add, broadcastTo, engine, getBackend, getKernel, mul, onesLike, registerKernel, stack, sub, util, type NamedTensorMap, type Tensor, type TensorInfo } from '../tf';

interface Part { v: Tensor; weight: number; mask: Tensor | null }

/** Bound to the kernel at once: v0, start, masks and the result take the other four of eight storage buffers. */
const PER_DISPATCH = 4;

registerKernel({
  kernelName: 'GuidanceFusion',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { v0, start, masks } = inputs as { v0: TensorInfo; start: TensorInfo; masks?: TensorInfo };
    const { weights } = attrs as unknown as { weights: number[] };
    const terms = weights.map((_, i) => inputs[`term${i}`]!);
    const bound = Array.from({ length: PER_DISPATCH }, (_, i) => terms[i] ?? v0);
    const size = util.sizeFromShape(v0.shape);
    const out = allocate(backend, v0.shape);
    const block = uniforms([['u', size], ['u', 0], ['u', 0], ['u', 0], ...bound.map((_, i): ['f', number] => ['f', weights[i] ?? 0])]);
    const constants = { TERMS: terms.length, MASKED: masks ? 1 : 0 };
    dispatch(backend, { name: 'guidance_fusion', code, constants }, [v0, start, ...bound, masks ?? v0, out], block, Math.ceil(size / 64));
    return out;
  },
});

function fused(v0: Tensor, parts: Part[]): Tensor {
  let sum = v0;
  for (let first = 0; first < parts.length; first += PER_DISPATCH) {
    const some = parts.slice(first, first + PER_DISPATCH);
    const inputs: NamedTensorMap = { v0, start: sum, ...Object.fromEntries(some.map(({ v }, i) => [`term${i}`, v])) };
    if (some.some(({ mask }) => mask)) inputs['masks'] = stack(some.map(({ mask }) => (mask ? broadcastTo(mask, v0.shape) : onesLike(v0))));
    sum = engine().runKernel('GuidanceFusion', inputs, { weights: some.map(({ weight }) => weight) }) as unknown as Tensor;
  }
  return sum;
}

const masked = (x: Tensor, { weight, mask }: Omit<Part, 'v'>) => mul(mask ? mul(x, mask) : x, weight);
const composed = (v0: Tensor, parts: Part[]): Tensor => parts.reduce((sum, part) => add(sum, masked(sub(part.v, v0), part)), v0);

function fusion(forward: typeof composed, v0: Tensor, terms: Tensor[], weights: number[], masks: (Tensor | null)[]): Tensor {
  invariant(terms.length === weights.length, `${terms.length} terms, ${weights.length} weights`);
  invariant(terms.every((v) => util.arraysEqual(v.shape, v0.shape)), 'a term has another shape than v0');
  const parts = terms.map((v, i) => ({ v, weight: weights[i]!, mask: masks[i] ?? null }));
  const present = parts.filter(({ weight }) => weight !== 0);
  return withGradient(
    { v0, ...Object.fromEntries(terms.map((v, i) => [`term${i}`, v])) },
    (save) => {
      save(parts.flatMap(({ mask }) => mask ?? []));
      return present.length === 0 ? alias(v0) : forward(v0, present);
    },
    (dy, saved) => {
      const masksKept = [...saved];
      const kept = parts.map(({ weight, mask }) => ({ weight, mask: mask && masksKept.shift()! }));
      return {
        v0: () => kept.reduce((sum, part) => sub(sum, masked(dy, part)), alias(dy)),
        ...Object.fromEntries(kept.map((part, i) => [`term${i}`, () => masked(dy, part)])),
      };
    },
  );
}

/** v0 and terms: one shape. Masks broadcast against it; null or none is 1 everywhere. */
export function guidanceFusion<T extends Tensor>(v0: T, terms: T[], weights: number[], masks: (Tensor | null)[] = []): T {
  return fusion(getKernel('GuidanceFusion', getBackend()) ? fused : composed, v0, terms, weights, masks) as T;
}

/** The same from tfjs' own ops, on every backend: what the kernel is tested against. */
export function guidanceFusionComposed<T extends Tensor>(v0: T, terms: T[], weights: number[], masks: (Tensor | null)[] = []): T {
  return fusion(composed, v0, terms, weights, masks) as T;
}
