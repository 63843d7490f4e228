/**
 * Differentiates the transformer from the last block to the first. Between forward and backward pass only block inputs
 * live (`recompute`: each block runs again on the way back) or one tape per block; the operations are the same, so the
 * gradients are the same bit for bit. The way back stops at the first block that has something to learn.
 */
import { add, reshape, stack, tidy, zeros, zerosLike, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, type Tensor4D } from '../../engine/tf';
import { vjpOf, type NamedVjp } from '../../engine/vjp';
import { blockSites } from './block';
import { begin, blockStep, crossAt, othersAt, seenBlockStep, takeApart, tidyAll, withDelta, type Beginning, type BlockArguments } from './forward';
import { crossName, crossSites, noiseLevel } from './crossAttention';
import { conditioning, embedContext, embedPatches, projectTokens } from './ends';
import { whileResident } from './residency';
import { Hold, type Steps } from '../steps';
import type { Adapter, BlockWeights, ConceptRows, Injection, Mmdit, MmditInput, VelocityGradients, VjpOptions } from './types';

export interface Run {
  velocity: Tensor4D;
  queries: Tensor4D[];
  backward(dv: Tensor4D | null, dQueries?: readonly (Tensor4D | null)[]): Steps<VelocityGradients>;
  dispose(): void;
}

/** Which gradients the run needs: `from` is the first block that is differentiated, before it nothing is kept. */
interface Plan { from: number; conditioning: boolean; row: boolean; tokens: boolean; level: boolean; streams(index: number): boolean; sites(w: BlockWeights): string[] }

/** Sites of a block, and of what is injected behind it, whose pairs get gradients. */
function sitesOf(w: BlockWeights, adapter: Adapter | null, injection: Injection | null, wanted: VjpOptions['wantSites'] = () => true): string[] {
  const cross = injection?.weights.blocks.get(w.index);
  return [...blockSites(w), ...(cross ? crossSites(cross) : [])].map(({ name }) => name).filter((name) => adapter?.[name] && wanted(name));
}

const TIME = 'time.';
const namesAt = (start: string, trained: Readonly<Record<string, Tensor>> | undefined): string[] => Object.keys(trained ?? {}).filter((name) => name.startsWith(start));
const pickedFrom = (names: readonly string[], from: Readonly<Record<string, Tensor>>): Record<string, Tensor> => Object.fromEntries(names.map((name) => [name, from[name]!]));

function plan(model: Mmdit, adapter: Adapter | null, rows: ConceptRows | null, { concept, injection }: Beginning, options: VjpOptions): Plan {
  const wantsConditioning = Boolean(options.wantInputs || (options.wantRows && rows?.pooledDelta));
  const row = Boolean(options.wantRows && concept);
  const tokens = Boolean(options.wantTokens && injection);
  const level = namesAt(TIME, injection?.trained).length > 0;
  const crossed = (index: number) => injection?.weights.blocks.has(index) && (tokens || level || namesAt(crossName(index), injection.trained).length > 0);
  const learns = model.blocks.findIndex((w) => row || sitesOf(w, adapter, injection, options.wantSites).length > 0 || crossed(w.index));
  const first = options.wantInputs || options.wantX ? -1 : learns < 0 ? model.blocks.length : learns;
  return { from: wantsConditioning ? 0 : Math.max(first, 0), conditioning: wantsConditioning, row, tokens, level, streams: (index) => index > first, sites: (w) => sitesOf(w, adapter, injection, options.wantSites) };
}

/** One block with what is to be differentiated as named arguments: x, y, c, row, `<site>.a`, `<site>.b`, tokens, level, and cross-attention's own by their names. */
function blockVjp(model: Mmdit, w: BlockWeights, given: BlockArguments, { concept }: Beginning, wanted: Plan, seen: boolean): NamedVjp {
  const names = wanted.sites(w);
  const crossNames = given.cross ? namesAt(crossName(w.index), given.cross.trained) : [];
  const inputs: Record<string, Tensor> = {
    ...(wanted.streams(w.index) ? { x: given.x, y: given.y } : {}),
    ...(wanted.conditioning ? { c: given.c } : {}),
    ...(wanted.row && given.row ? { row: given.row } : {}),
    ...Object.fromEntries(names.flatMap((name) => [[`${name}.a`, given.adapter![name]!.a], [`${name}.b`, given.adapter![name]!.b]])),
    ...(given.cross && wanted.tokens ? { tokens: given.cross.tokens } : {}),
    ...(given.cross && wanted.level ? { level: given.cross.level } : {}),
    ...pickedFrom(crossNames, given.cross?.trained ?? {}),
  };
  return vjpOf(inputs, (args) => {
    const trained = Object.fromEntries(names.map((name) => [name, { a: args[`${name}.a`] as Tensor2D, b: args[`${name}.b`] as Tensor2D, scale: given.adapter![name]!.scale }]));
    const { tokens, level, ...rest } = args as { tokens?: Tensor3D; level?: Tensor2D };
    const cross = given.cross && { ...given.cross, ...(tokens && { tokens }), ...(level && { level }), trained: { ...given.cross.trained, ...pickedFrom(crossNames, args) } };
    return (seen ? seenBlockStep : blockStep)(model, w, { ...given, ...rest, adapter: { ...given.adapter, ...trained }, cross }, concept?.places ?? null);
  });
}

/** Gradients of f at the inputs, its value thrown away. */
function pullBack(inputs: Record<string, Tensor>, dy: Tensor | null, f: (inputs: Record<string, Tensor>) => Tensor): Record<string, Tensor | null> {
  const { outputs, pullback } = vjpOf(inputs, (args) => [f(args)]);
  outputs.forEach((output) => output.dispose());
  return pullback([dy]);
}

/** Gradients of what precedes the blocks, from those of the streams and the conditioning. */
function beginningGradients(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, wantInputs: boolean, dx: Tensor3D | null, dy: Tensor3D | null, dc: Tensor2D): Pick<VelocityGradients, 'pooledDelta' | 'inputs'> {
  const delta = rows?.pooledDelta ?? null;
  const fromC = pullBack({ ...(wantInputs ? { pooled: input.pooled } : {}), ...(delta ? { delta } : {}) }, dc, (args) =>
    conditioning(model, input.sigma, withDelta((args.pooled ?? input.pooled) as Tensor2D, rows, (args.delta ?? null) as Tensor1D | null), adapter));
  const pooledDelta = (fromC.delta ?? null) as Tensor1D | null;
  if (!wantInputs) return { pooledDelta, inputs: null };
  const { x } = pullBack({ x: input.x }, dx, (args) => embedPatches(model, args.x as Tensor4D, adapter));
  const { context } = pullBack({ context: input.context }, dy, (args) => embedContext(model, args.context as Tensor3D, adapter));
  return { pooledDelta, inputs: { x: x as Tensor4D, context: context as Tensor3D, pooled: fromC.pooled as Tensor2D } };
}

/** Zeros for what nothing depended on. */
function injectionGradients({ weights, tokens, trained = {} }: Injection, sigma: readonly number[], wanted: Plan, dTokens: Tensor | null, dLevel: Tensor | null, ofBlocks: Record<string, Tensor>): NonNullable<VelocityGradients['injection']> {
  const timed = pickedFrom(namesAt(TIME, trained), trained);
  const ofTime = dLevel && wanted.level ? pullBack(timed, dLevel, (args) => noiseLevel(weights, sigma, args)) : {};
  const all = Object.entries(trained).map(([name, value]) => [name, ofBlocks[name] ?? ofTime[name] ?? zerosLike(value)]);
  return { tokens: wanted.tokens ? ((dTokens ?? zerosLike(tokens)) as Tensor3D) : null, trained: Object.fromEntries(all) as Record<string, Tensor> };
}

/** Evaluates, and prepares the way back. */
export function* vjpSteps(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, options: VjpOptions): Steps<Run> {
  const hold = new Hold();
  const queries: Tensor4D[] = [];
  const tapes: (NamedVjp | undefined)[] = [];
  const dispose = () => {
    tapes.splice(0).forEach((tape) => tape?.dispose());
    hold.free();
  };
  let ready = false;
  try {
    const start = begin(model, input, adapter, rows, hold);
    const wanted = plan(model, adapter, rows, start, options);
    const entries: BlockArguments[] = [];
    const seen = Boolean(options.wantQueries);
    let { x, y } = start;
    for (const w of model.blocks) {
      const given = { x, y, c: start.c, row: start.concept?.rows[w.index] ?? null, others: othersAt(start, w.index), adapter, cross: crossAt(start, w.index) };
      const taped = w.index >= wanted.from && !options.recompute;
      const after = yield* whileResident(model, w.index, () => {
        if (!taped) return tidyAll<Tensor>(() => (seen ? seenBlockStep : blockStep)(model, w, given, start.concept?.places ?? null));
        return (tapes[w.index] = blockVjp(model, w, given, start, wanted, seen)).outputs;
      });
      const { streams: [nextX, nextY], features } = takeApart(w, after);
      if (seen) queries.push(hold.add(features.q));
      if (seen) features.k.dispose();
      if (w.index >= wanted.from && options.recompute) entries[w.index] = given;
      else hold.drop(x, y);
      x = hold.add(nextX!);
      if (nextY) y = hold.add(nextY);
      yield;
    }
    const [tail, height, width] = [x, input.x.shape[1], input.x.shape[2]];
    const velocity = tidy(() => projectTokens(model, tail, start.c, height, width, adapter));
    queries.forEach((q) => hold.release(q));
    ready = true;

    const backward = function* (dv: Tensor4D | null, dQueries: readonly (Tensor4D | null)[] = []): Steps<VelocityGradients> {
      const result: VelocityGradients = { sites: {}, rows: null, pooledDelta: null, inputs: null, x: null, injection: null };
      const mine: Tensor[] = [];
      const rowGradients: (Tensor | null)[] = [];
      const sums: Record<'c' | 'tokens' | 'level', Tensor | null> = { c: null, tokens: null, level: null };
      const crossGradients: Record<string, Tensor> = {};
      const collect = (name: keyof typeof sums, part: Tensor | null | undefined) => {
        if (!part) return;
        const before = sums[name];
        const sum: Tensor = before ? add(before, part) : part;
        if (before) {
          part.dispose();
          hold.drop(before);
        }
        sums[name] = hold.add(sum);
      };
      try {
        const tip: Record<string, Tensor | null> = dv === null ? {} : pullBack({ x: tail, ...(wanted.conditioning ? { c: start.c } : {}) }, dv, (args) => projectTokens(model, args.x as Tensor3D, (args.c ?? start.c) as Tensor2D, height, width, adapter));
        let [dx, dy] = [hold.add(tip.x ?? null), null as Tensor | null];
        collect('c', tip.c);
        for (const w of model.blocks.slice(wanted.from).reverse()) {
          const entry = entries[w.index];
          const dq = dQueries[w.index];
          const dys = [...(w.last ? [dx] : [dx, dy]), ...(seen ? [dq ?? null, null] : [])];
          const gradients = yield* whileResident(model, w.index, () => {
            const tape = tapes[w.index] ?? blockVjp(model, w, entry!, start, wanted, seen);
            if (entry) tape.outputs.forEach((output) => output.dispose());
            return tape.pullback(dys);
          });
          hold.drop(dx, dy, entry?.x, entry?.y);
          dx = hold.add(gradients.x ?? null);
          dy = hold.add(gradients.y ?? null);
          for (const name of ['c', 'tokens', 'level'] as const) collect(name, gradients[name]);
          for (const name of namesAt(crossName(w.index), start.injection?.trained)) if (gradients[name]) crossGradients[name] = hold.add(gradients[name]);
          rowGradients[w.index] = hold.add(gradients.row ?? null);
          for (const name of wanted.sites(w)) {
            const [a, b] = (['a', 'b'] as const).map((part) => hold.add(gradients[`${name}.${part}`] ?? zerosLike(adapter![name]![part]))) as [Tensor2D, Tensor2D];
            mine.push(a, b);
            result.sites[name] = { a, b };
          }
          yield;
        }
        const { hidden } = model.config;
        if (options.wantRows && rows) {
          result.rows = tidy(() => stack(model.blocks.map((w) => (rowGradients[w.index] ? reshape(rowGradients[w.index]!, [hidden]) : zeros([hidden]))))) as Tensor2D;
        }
        if (sums.c) Object.assign(result, beginningGradients(model, input, adapter, rows, Boolean(options.wantInputs), dx as Tensor3D | null, dy as Tensor3D | null, sums.c as Tensor2D));
        if (options.wantX) result.x = pullBack({ x: input.x }, dx, (args) => embedPatches(model, args.x as Tensor4D, adapter)).x as Tensor4D | null;
        if (start.injection) {
          result.injection = injectionGradients(start.injection, input.sigma, wanted, sums.tokens, sums.level, crossGradients);
          mine.push(...Object.values(crossGradients), ...(sums.tokens ? [sums.tokens] : []));
        }
        mine.forEach((tensor) => hold.release(tensor));
        return result;
      } finally {
        dispose();
      }
    };
    return { velocity, queries, backward, dispose };
  } finally {
    if (!ready) dispose();
  }
}
