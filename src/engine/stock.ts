/**
 * tfjs' own kernels, still at hand after one of ours has taken their place: what measurements compare with. Whoever
 * replaces a kernel does it here. The product itself never asks for the stock one.
 */
import * as tf from './tf';
import type { KernelConfig } from './tf';

const replaced = new Map<string, KernelConfig>();
const keyOf = ({ kernelName, backendName }: Pick<KernelConfig, 'kernelName' | 'backendName'>) => `${backendName} ${kernelName}`;

/** Puts ours, made from tfjs' own, in its place. Call when tfjs has registered it; a second call for a kernel does nothing. */
export function replaceStock(kernelName: string, backendName: string, ours: (stock: KernelConfig) => KernelConfig): void {
  const key = keyOf({ kernelName, backendName });
  if (replaced.has(key)) return;
  const stock = tf.getKernel(kernelName, backendName);
  replaced.set(key, stock);
  tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel(ours(stock));
}

/** tfjs' kernel of that name, whether or not it has been replaced. Throws where tfjs has none. */
export function stockKernel(kernelName: string, backendName: string): KernelConfig {
  const found = replaced.get(keyOf({ kernelName, backendName })) ?? tf.getKernel(kernelName, backendName);
  if (!found) throw new Error(`tfjs has no kernel ${kernelName} on ${backendName}`);
  return found;
}

/** Names that tfjs itself knows; a registered kernel with another name is one of ours. */
const stockNames = new Set<unknown>(Object.values(tf).filter((value) => typeof value === 'string'));

/**
 * Puts every stock kernel of the backend back and takes ours away, so that ops take their composed forms. Returns the way
 * back; until it is called nothing else may register kernels.
 */
export function useStockKernels(backendName: string): () => void {
  const ours = tf.getKernelsForBackend(backendName).filter((kernel) => replaced.has(keyOf(kernel)) || !stockNames.has(kernel.kernelName));
  for (const kernel of ours) {
    tf.unregisterKernel(kernel.kernelName, backendName);
    const stock = replaced.get(keyOf(kernel));
    if (stock) tf.registerKernel(stock);
  }
  return () => {
    for (const kernel of ours) {
      if (replaced.has(keyOf(kernel))) tf.unregisterKernel(kernel.kernelName, backendName);
      tf.registerKernel(kernel);
    }
  };
}
