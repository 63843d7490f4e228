/**
 * jax-js as a rival: its matrix product on its own device of the same adapter (or its own wasm heap), compiled once by its
 * jit. Its arrays are lazy, so every result is kept until sync asks for it; a transposed operand is a view that its
 * compiler fuses.
 */
import type { Array as JaxArray } from '@jax-js/jax';
import { noise } from '../../testing/kernels/spec';
import type { Form } from '../row';

export type JaxDevice = 'webgpu' | 'wasm';

/** Complaints of jax-js' own device, which it does not throw. */
let errors: string[] | null = null;

/** [m,k]·[k,n]; transposed operands are stored as [k,m] and [n,k]. Throws where jax-js cannot open the device. */
export async function jaxProduct(device: JaxDevice, [m, k, n]: readonly [number, number, number], transposeA: boolean, transposeB: boolean): Promise<Form> {
  const jax = await import('@jax-js/jax');
  if (!(await jax.init(device)).includes(device)) throw new Error(`jax-js cannot open ${device}`);
  if (device === 'webgpu' && !errors) {
    const found: string[] = (errors = []);
    jax.getWebGPUDevice().addEventListener('uncapturederror', ({ error }) => found.push(error.message));
  }
  const matrix = (rows: number, columns: number, seed: number) => jax.numpy.array(noise(rows * columns, seed) as Float32Array<ArrayBuffer>, { shape: [rows, columns], device });
  const a = transposeA ? matrix(k, m, 7) : matrix(m, k, 7);
  const b = transposeB ? matrix(n, k, 8) : matrix(k, n, 8);
  await jax.blockUntilReady([a, b]);
  const turned = (x: JaxArray, turn: boolean) => (turn ? jax.numpy.transpose(x) : x);
  const product = jax.jit((x: JaxArray, y: JaxArray) => jax.numpy.matmul(turned(x, transposeA), turned(y, transposeB)));
  const made: JaxArray[] = [];
  return {
    run: () => { made.push(product(a.ref, b.ref) as JaxArray); },
    sync: async () => {
      await jax.blockUntilReady(made);
      if (device === 'webgpu') await jax.getWebGPUDevice().queue.onSubmittedWorkDone();
      made.splice(0).forEach((y) => y.dispose());
      const [complaint] = errors?.splice(0) ?? [];
      if (complaint) throw new Error(`jax-js: ${complaint}`);
    },
    dispose: () => [a, b].forEach((x) => x.dispose()),
  };
}
