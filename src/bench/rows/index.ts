/** All rows of a backend, in the order of the report. */
import type { Compute } from '../../engine/backend';
import { getKernel } from '../../engine/tf';
import type { Timing } from '../measure';
import type { Row, Survey } from '../row';
import { blockRows } from './block';
import { fusionRows } from './fusion';
import { kernelBenches, kernelRows } from './kernels';
import { matmulRows } from './matmul';
import { optimizerRows } from './optimizer';
import { packedRows } from './packed';
import { scalingRows, stepRows } from './step';
import { wasmProducts } from './wasmProducts';

export function allRows(compute: Compute, timing: Timing): (Row | Survey)[] {
  return [
    ...matmulRows(compute.backend),
    // wasm has a few kernels of its own; elsewhere ops take their composed forms
    ...(compute.backend === 'webgpu' ? [...packedRows(), ...kernelRows(), ...fusionRows(), ...optimizerRows()] : kernelRows(kernelBenches.filter(({ spec }) => getKernel(spec.name, compute.backend)))),
    ...stepRows(compute),
    ...blockRows(),
    ...(compute.backend === 'wasm' ? [wasmProducts(timing)] : []),
    ...scalingRows(compute),
  ];
}
