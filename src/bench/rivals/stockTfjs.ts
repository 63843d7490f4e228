/** Stock tfjs as a rival: its own kernels, whatever has been put in their place. */
import * as tf from '../../engine/tf';
import { stockKernel, useStockKernels } from '../../engine/stock';
import type { Products } from '../../engine/ops';
import type { Form } from '../row';

const scaled = (x: tf.Tensor2D, scale: number) => tf.mul<tf.Tensor2D>(x, scale);

/** A linear layer as tf.matMul and its gradient make it: transposes are flags of the product. */
export const tfjsProducts: Products = {
  forward: (x, { weight, bias }, lora) => {
    const plain = tf.fused.matMul(bias ? { a: x, b: weight!, bias } : { a: x, b: weight! }) as tf.Tensor2D;
    return lora ? tf.add(plain, tf.matMul(lora.low, lora.b)) : plain;
  },
  low: (x, a, scale) => scaled(tf.matMul(x, a), scale),
  dLow: (dy, b, scale) => scaled(tf.matMul(dy, b, false, true), scale),
  dx: (dy, { weight }, lora) => {
    const plain = tf.matMul<tf.Tensor2D>(dy, weight!, false, true);
    return lora ? tf.add(plain, tf.matMul(lora.dLow, lora.a, false, true)) : plain;
  },
  da: (x, dLow) => tf.matMul(x, dLow, true, false),
  db: (low, dy) => tf.matMul(low, dy, true, false),
};

/** tfjs' own BatchMatMul under a name of its own, so that it goes the same way as any op. */
export function stockMatMul(a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean): tf.Tensor {
  const backendName = tf.getBackend();
  const kernelName = 'StockBatchMatMul';
  if (!tf.getKernel(kernelName, backendName)) tf.registerKernel({ ...stockKernel('BatchMatMul', backendName), kernelName });
  return tf.engine().runKernel(kernelName, { a, b }, { transposeA, transposeB }) as unknown as tf.Tensor;
}

async function inStock<T>(work: () => T | Promise<T>): Promise<T> {
  const back = useStockKernels(tf.getBackend());
  try {
    return await work();
  } finally {
    back();
  }
}

/** The form as it opens and runs with all of tfjs' kernels in ours' place; what chooses at its making chooses among those too. */
export async function stockForm(open: () => Form | Promise<Form>): Promise<Form> {
  const form = await inStock(open);
  return { ...form, run: (prepared) => inStock(() => form.run(prepared)) };
}
