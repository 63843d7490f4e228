/**
 * tfjs frees a tensor of recorded work only when that work is submitted, some dozens of kernels later: of large tensors dozens would
 * lie in memory. Whoever computes with such gives them back here.
 */
import { backend, getBackend, type Tensor } from '../tf';
import { flush } from './dispatch';

/** Less than this may wait. */
const LARGE_BYTES = 16 * 2 ** 20;

/** Submits what has been recorded; nothing to do but on WebGPU. */
export function submitWork(): void {
  if (getBackend() === 'webgpu') flush(backend());
}

/** Disposes of the tensors, and if they are large sees to it that their memory can be used again. */
export function giveBack(...tensors: readonly Tensor[]): void {
  const sizeBytes = tensors.reduce((sum, { size }) => sum + 4 * size, 0);
  tensors.forEach((tensor) => tensor.dispose());
  if (sizeBytes >= LARGE_BYTES) submitWork();
}
