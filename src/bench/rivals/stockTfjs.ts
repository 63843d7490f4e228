/** Stock tfjs as a rival: its own kernels, whatever has been put in their place. */
import * as tf from '../../engine/tf';
import { stockKernel, useStockKernels } from '../../engine/stock';
import type { Form } from '../row';

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
