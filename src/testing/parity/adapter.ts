/**
 * A picture adapter against the golden numbers of recipe/adapter_golden.py: the tower's states, tokens, and the velocities of evaluations
 * that see them with every option. A folder that has no tower and transformer of its own is for the embedded base's.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { disposeClipVision, imageStates, loadClipVision } from '../../models/clip';
import { disposeMmdit, loadMmdit } from '../../models/mmdit';
import { disposePictureAdapter, encodeTokens, loadPictureAdapter } from '../../models/objectEncoder';
import { evaluate, type Evaluation } from '../../pipeline/evaluate';
import type { SeenPicture } from '../../pipeline/seen';
import { folderFiles, safetensorsFile } from '../files';
import { pictureOf, row, tensorOf, values, valuesNchw, worst, type Row } from './rows';

/** One pass of a network in float32: ten times what SwiftShader, whose exponentials are the least exact, is off. */
const TOKENS = 1e-4;
const VELOCITY = 2e-4;

/** Python's names of the options. */
interface Options { weight?: number; zero_tokens?: number; ortho?: SeenPicture['ortho'] }

export const isAdapterFolder = (dir: string): boolean => existsSync(join(dir, 'model.safetensors')) && existsSync(join(dir, 'golden.safetensors'));

export async function adapterRows(dir: string, baseDir: string): Promise<Row[]> {
  const golden = await safetensorsFile(join(dir, 'golden.safetensors'));
  const files = folderFiles(existsSync(join(dir, 'transformer')) ? dir : baseDir);
  const adapter = await loadPictureAdapter(await safetensorsFile(join(dir, 'model.safetensors')));
  const vision = await loadClipVision(await files.weights('image_encoder'), await files.json('image_encoder/config.json'));
  const mmdit = await loadMmdit(await files.weights('transformer'), await files.json('transformer/config.json'));
  const rows: Row[] = [];
  const check = async (name: string, found: ArrayLike<number>, key: string, tolerance: number) => rows.push(row(`adapter ${adapter.kind} ${name}`, worst(found, await golden.read(key)), tolerance));
  const read = <T extends tf.Tensor>(key: string) => tensorOf<T>(golden, key);

  const picture = await pictureOf(golden, 'picture');
  const { hidden, embedding } = await imageStates(vision, picture, adapter.towerLayers);
  await check('embedding', await values(embedding), 'embedding', TOKENS);
  await check('states', await values(tf.stack(hidden, 1)), 'hidden', TOKENS);
  const who = golden.has('identity') ? await read<tf.Tensor2D>('identity') : null;
  const identity = who && (tf.concat([who, await read('embedding')], 1) as tf.Tensor2D);
  const given = tf.unstack(await read('hidden'), 1) as tf.Tensor3D[];
  await check('tokens', await values(await encodeTokens(adapter, { hidden: given, identity })), 'tokens', TOKENS);
  await check('tokens of the picture', await values(await encodeTokens(adapter, { hidden, identity: who && (tf.concat([who, embedding], 1) as tf.Tensor2D) })), 'tokens', TOKENS);
  const nothing = await imageStates(vision, tf.zerosLike(picture), adapter.towerLayers);
  await check('tokens of nothing', await values(await encodeTokens(adapter, { hidden: nothing.hidden, identity: identity && tf.zerosLike(identity) })), 'tokens_zero', TOKENS);

  const x = await pictureOf(golden, 'x');
  const sigma = [...(await golden.read('sigma'))];
  const words = { context: await read<tf.Tensor3D>('context'), pooled: await read<tf.Tensor2D>('pooled'), at: sigma.map(() => -1) };
  const tokens = await read<tf.Tensor3D>('tokens');
  const base = { mmdit, shift: 1, latentShape: () => x.shape.slice(1) as [number, number, number] };
  const drawn = async (seen: SeenPicture | null) => {
    const evaluation: Evaluation = { words, adapter: null, rows: null, seen };
    return valuesNchw((await evaluate(base, x, sigma, [evaluation], async () => {}))[0]!);
  };
  const seen: SeenPicture = { adapter, tokens, weight: 1 };
  await check('velocity without it', await drawn(null), 'velocity_off', VELOCITY);
  for (const [key, { weight = 1, zero_tokens: zeroTokens = 0, ortho = 'none' }] of Object.entries(JSON.parse(golden.header.metadata.options!) as Record<string, Options>)) {
    if (golden.has(key)) await check(key.replaceAll('_', ' '), await drawn({ ...seen, weight, zeroTokens, ortho }), key, VELOCITY);
  }
  await check('velocity region', await drawn({ ...seen, region: await read<tf.Tensor3D>('region') }), 'velocity_region', VELOCITY);
  if (golden.has('velocity_two')) await check('velocity two', await drawn({ ...seen, tokens: tf.concat([tokens, await read('tokens_zero')], 1) as tf.Tensor3D }), 'velocity_two', VELOCITY);
  if (golden.has('velocity_untuned')) await check('velocity untuned', await drawn({ ...seen, adapter: { ...adapter, lora: null } }), 'velocity_untuned', VELOCITY);
  disposePictureAdapter(adapter);
  disposeClipVision(vision);
  disposeMmdit(mmdit);
  return rows;
}
