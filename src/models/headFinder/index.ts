/**
 * Says which patches of a picture show somebody's head, from the states of a base's image tower: a linear layer of several layers' states, ReLU,
 * and a linear layer to one logit a patch. Sizes follow from the file; which layers are read, its config says. As recipe/heads.py has it.
 */
import * as v from 'valibot';
import { disposeLinear, linear, type FrozenLinear } from '../../engine/ops';
import { concat, relu, reshape, slice, tidy, type Tensor2D, type Tensor3D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { count, readConfig } from '../config';
import { WeightReader } from '../weights';
import type { WeightSource } from '../weightSource';

export interface HeadFinder {
  /** Layers of the tower whose states it reads, from 1. */
  towerLayers: number[];
  /** Of the tower. */
  towerWidth: number;
  hidden: FrozenLinear;
  out: FrozenLinear;
}

const finderConfig = v.object({ layers: v.pipe(v.array(count), v.minLength(1)) });

/** Throws Faults `base-mismatch`, `tensor-missing`, `tensor-unknown`, `tensor-shape`. */
export async function loadHeadFinder(source: WeightSource, config: unknown): Promise<HeadFinder> {
  const { layers: towerLayers } = readConfig(config, finderConfig, 'head_finder/config.json');
  const reader = new WeightReader(source);
  const [width = 0, states = 0] = reader.shape('hidden.weight');
  const model: HeadFinder = { towerLayers, towerWidth: states / towerLayers.length, hidden: await reader.linear('hidden', states, width), out: await reader.linear('out', width, 1) };
  reader.finish();
  return model;
}

/** States [B,1+patches,d] of its layers, a class token before the patches → logits [B,patches]: evidence that the patch lies in a head, in nats. The caller disposes. */
export function headLogits({ towerLayers, towerWidth, hidden, out }: HeadFinder, states: readonly Tensor3D[]): Tensor2D {
  invariant(states.length === towerLayers.length && states.every(({ shape }) => shape[2] === towerWidth), 'the head finder reads other states');
  const [b, tokens] = states[0]!.shape;
  return tidy(() => {
    const patches = concat(states.map((state) => slice(state, [0, 1, 0], [-1, -1, -1])), 2) as Tensor3D;
    return reshape(linear(relu(linear(patches, hidden)) as Tensor3D, out), [b, tokens - 1]) as Tensor2D;
  });
}

export function disposeHeadFinder({ hidden, out }: HeadFinder): void {
  disposeLinear(hidden);
  disposeLinear(out);
}
