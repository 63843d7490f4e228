/**
 * The packed linear layer in every precision and through every tiling, forward and to its input, against the float32 layer with
 * the adapter's own tiling. On WebGPU alone: elsewhere packed weights are unpacked before they are multiplied.
 */
import type { Packing } from '../../formats/packing';
import { setTilings, tilings, TILINGS, type Tiling } from '../../engine/webgpu/tiling';
import type { Form, Row } from '../row';
import { bytesOf, flopsOf, ours, says, type Kind, type Sizes } from './matmul';

const shapes: Sizes[] = [{ m: 512, k: 512, n: 512 }, { m: 1024, k: 1536, n: 1536 }];
const packings: Packing[] = [{ precision: 'f32' }, { precision: 'f16' }, { precision: 'int8' }, { precision: 'int4', group: 64 }];

/** The form with this tiling, whatever the adapter's own choice; that one is back after every repetition. */
function tiledForm(form: Form, tiling: Tiling): Form {
  return {
    ...form,
    run: (prepared) => {
      const before = tilings();
      setTilings({ forward: tiling, gradient: tiling });
      try {
        return form.run(prepared);
      } finally {
        setTilings(before);
      }
    },
  };
}

export function packedRows(): Row[] {
  return shapes.flatMap((sizes) => (['nn', 'nt'] as const satisfies Kind[]).flatMap((kind) => packings.flatMap((packing) => TILINGS.map((tiling) => ({
    name: `packed ${packing.precision} ${kind}, ${tiling}`, shape: says(sizes), flops: flopsOf(sizes), bytes: bytesOf(sizes),
    ours: () => tiledForm(ours(kind, sizes, packing), tiling),
    rival: { name: 'f32, own tiling', open: () => ours(kind, sizes) },
  })))));
}
