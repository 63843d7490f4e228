/** All rows of a backend, in the order of the report. */
import type { Compute } from '../../engine/backend';
import type { Row, Survey } from '../row';
import { kernelRows } from './kernels';
import { matmulRows } from './matmul';

export function allRows({ backend }: Compute): (Row | Survey)[] {
  return [
    ...matmulRows(backend),
    ...kernelRows(),
  ];
}
