/** Rows of a table by their indices. tfjs' own gradient of it needs a kernel that not every backend has. */
import { gather, matMul, tensor1d, tensor2d, type Tensor2D } from '../tf';
import { withGradient } from './withGradient';

/** table [n,d], m indices in 0…n−1 → [m,d]. The gradient adds up the rows that went to the same place. */
export function takeRows(table: Tensor2D, rows: readonly number[]): Tensor2D {
  const [n] = table.shape;
  return withGradient(
    { table },
    () => gather(table, tensor1d([...rows], 'int32')) as Tensor2D,
    (dy) => ({
      table: () => {
        const places = new Float32Array(n * rows.length);
        rows.forEach((row, i) => { places[row * rows.length + i] = 1; });
        return matMul(tensor2d(places, [n, rows.length]), dy);
      },
    }),
  );
}
