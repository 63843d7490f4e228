/** Whose head a reference is, where nobody framed one: on a tiny base whose head finder sees one, none, or is absent. */
import { beforeAll, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { useBackend } from '../../testing/backend';
import { tinyStored } from '../../testing/session/tinyFiles';
import { disposeBase, loadBase } from '../base';
import type { DatasetItem } from './dataset';
import { leaseSight } from './sight';

beforeAll(async () => void (await useBackend('wasm')));

/** What the identity encoder says of the picture's head. */
async function seen(heads: 'one' | 'none' | undefined, given: Partial<DatasetItem> = {}, blank = false): Promise<number[]> {
  const base = await loadBase('tiny', await tinyStored('tiny', { faces: true, ...(heads && { heads }) }));
  const { width: side } = base.pictureSize();
  const within = (x: number, y: number) => !blank && Math.abs(x / side - 0.5) < 0.2 && y / side > 0.45;
  const pixels = Float32Array.from({ length: side * side * 3 }, (_, i) => (within(Math.floor(i / 3) % side, Math.floor(i / 3 / side)) ? Math.sin(i) : blank ? Math.sin(i / 7) * 0.01 : 1));
  try {
    const { references, release } = await leaseSight(base, [{ pixels, ...given }]);
    const [vector] = [[...(await references.vectors.data())]];
    tf.dispose([references.tokens, references.vectors]);
    release();
    return vector;
  } finally {
    disposeBase(base);
  }
}

it('is the one that was framed; else the one the base sees; else that of what stands out', async () => {
  const byTower = await seen('one');
  expect(await seen('one', { head: { left: 0, top: 0, side: 0.75 } })).toEqual(byTower); // where this finder sees one
  const byMask = await seen(undefined);
  expect(byMask).not.toEqual(byTower);
  expect(await seen('none')).toEqual(byMask);
  expect(await seen('one', { head: { left: 0.3, top: 0.3, side: 0.4 } })).not.toEqual(byTower);
});

it('can be framed at a picture’s edge where nothing stands out', async () => {
  expect(await seen('none', { head: { left: 0, top: 0, side: 0.3 } }, true)).toHaveLength(12);
});
