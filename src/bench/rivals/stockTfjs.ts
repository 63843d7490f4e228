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

/** The same form with all of tfjs' kernels in ours' place while it runs. */
export function withStockKernels<P>(form: Form<P>): Form<P> {
  const inStock = <T>(work: () => T): T => {
    const back = useStockKernels(tf.getBackend());
    try {
      return work();
    } finally {
      back();
    }
  };
  return {
    ...form,
    ...(form.prepare ? { prepare: () => inStock(() => form.prepare!()) } : {}),
    run: async (prepared) => {
      const back = useStockKernels(tf.getBackend());
      try {
        await form.run(prepared);
      } finally {
        back();
      }
    },
  };
}
