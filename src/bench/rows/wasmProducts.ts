/**
 * Every matrix product that a training step of the embedded base makes on wasm, recorded from one real step: those with M, N
 * and K of 64 and more one by one, each as a share of what the 1024² product reaches in the same run (ratio: 1 is as fast), and
 * all smaller ones together as a share of the step's time.
 */
import * as tf from '../../engine/tf';
import type { KernelConfig, TensorInfo } from '../../engine/tf';
import { someTensor, tensorForm } from '../forms';
import { median } from '../../protocol/median';
import { measureRow, type Timing } from '../measure';
import type { ReportRow, Row, Survey } from '../row';
import { embeddedStep, stepForm } from './step';

/** One kernel call's product. */
interface Product { kernel: string; aShape: number[]; bShape: number[]; transposeA: boolean; transposeB: boolean; batch: number; m: number; k: number; n: number }
interface Recorded extends Product { calls: number; ms: number }

const KERNELS = ['BatchMatMul', '_FusedMatMul'];
/** From here on a product must run at a good share of the best. */
const LARGE = 64;
const STEPS = 3;

function productOf(kernel: string, { inputs, attrs }: Parameters<KernelConfig['kernelFunc']>[0]): Product {
  const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
  const { transposeA = false, transposeB = false } = attrs as unknown as { transposeA?: boolean; transposeB?: boolean };
  const [a1 = 1, a2 = 1] = a.shape.slice(-2);
  const [b1 = 1, b2 = 1] = b.shape.slice(-2);
  const count = (shape: number[]) => shape.slice(0, -2).reduce((all, one) => all * one, 1);
  return { kernel, aShape: a.shape, bShape: b.shape, transposeA, transposeB, batch: Math.max(count(a.shape), count(b.shape)), m: transposeA ? a2 : a1, k: transposeA ? a1 : a2, n: transposeB ? b1 : b2 };
}

/** Times every product made while `work` runs. On wasm a kernel has computed when it returns, so wall time is its time. */
async function recording(work: () => Promise<void>): Promise<Recorded[]> {
  const found = new Map<string, Recorded>();
  const kernels = KERNELS.map((name) => tf.getKernel(name, 'wasm'));
  let depth = 0; // a product that another one makes inside counts once
  const watched = kernels.map((kernel): KernelConfig => ({
    ...kernel,
    kernelFunc: (args) => {
      const started = performance.now();
      depth++;
      try {
        return kernel.kernelFunc(args);
      } finally {
        if (--depth === 0) {
          const product = productOf(kernel.kernelName, args);
          const entry = found.get(JSON.stringify(product)) ?? { ...product, calls: 0, ms: 0 };
          found.set(JSON.stringify(product), { ...entry, calls: entry.calls + 1, ms: entry.ms + performance.now() - started });
        }
      }
    },
  }));
  const put = (configs: KernelConfig[]) => configs.forEach((config) => { tf.unregisterKernel(config.kernelName, 'wasm'); tf.registerKernel(config); });
  put(watched);
  try {
    await work();
  } finally {
    put(kernels);
  }
  return [...found.values()];
}

const isLarge = ({ m, k, n }: Product) => Math.min(m, k, n) >= LARGE;
const flopsOf = ({ batch, m, k, n }: Product) => 2 * batch * m * k * n;

const best: Product = { kernel: 'BatchMatMul', aShape: [1024, 1024], bShape: [1024, 1024], transposeA: false, transposeB: false, batch: 1, m: 1024, k: 1024, n: 1024 };

const productForm = ({ kernel, aShape, bShape, transposeA, transposeB }: Product) => tensorForm([someTensor(aShape, 7), someTensor(bShape, 8)], ([a, b]) =>
  tf.engine().runKernel(kernel, { a: a!, b: b! }, { transposeA, transposeB, ...(kernel === '_FusedMatMul' ? { activation: 'linear' } : {}) } as unknown as tf.NamedAttrMap) as unknown as tf.Tensor);

function largeRow(product: Recorded): Row {
  const { aShape, bShape, transposeA, transposeB } = product;
  const kind = `${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}`;
  return {
    name: `wasm product ${kind}`, shape: `[${aShape.join(',')}]·[${bShape.join(',')}]`, flops: flopsOf(product), bytes: 0,
    ours: () => productForm(product),
    rival: { name: 'at the rate of 1024² nn', open: () => productForm(best) },
    rivalScale: flopsOf(product) / flopsOf(best),
  };
}

export function wasmProducts(timing: Timing): Survey {
  return {
    name: 'wasm products of a step',
    async measure(): Promise<ReportRow[]> {
      const form = await stepForm(embeddedStep);
      const stepsMs: number[] = [];
      let recorded: Recorded[];
      try {
        await form.run(undefined);
        recorded = await recording(async () => {
          for (let i = 0; i < STEPS; i++) {
            const started = performance.now();
            await form.run(undefined);
            stepsMs.push(performance.now() - started);
          }
        });
      } finally {
        form.dispose();
      }
      const rows: ReportRow[] = [];
      for (const product of recorded.filter(isLarge)) rows.push(await measureRow(largeRow(product), timing));
      const part = (name: string, chosen: Recorded[]): ReportRow => {
        const [oursMs, stepMs] = [chosen.reduce((sum, { ms }) => sum + ms, 0) / STEPS, median(stepsMs)!];
        return { name, shape: `${chosen.reduce((sum, { calls }) => sum + calls, 0) / STEPS} calls in a step of the embedded base`, ours_ms: oursMs, rival: 'the whole step', rival_ms: stepMs, ratio: stepMs / oursMs, gflops: null, bytes: null };
      };
      const small = recorded.filter((product) => !isLarge(product));
      return [...rows, part('wasm products of 64 and more', recorded.filter(isLarge)), part('wasm products below 64', small)];
    },
  };
}
