/**
 * LoRA files of other tools, through the app's own import and sum: the transformer's velocity with each of them, at full strength
 * and at 0.6. What the app exports in one layout is read back from the other, and compared with the fixtures name by name.
 */
import { openAsBlob } from 'node:fs';
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { readLora, type LoraModel } from '../../formats/loraFile';
import { openSafetensors } from '../../formats/safetensors';
import { writeLora } from '../../formats/loraWriter';
import type { StoredTensors } from '../../formats/storedTensors';
import { disposeMmdit, loraSites, velocity, type Adapter, type Mmdit, type MmditInput } from '../../models/mmdit';
import type { WeightSource } from '../../models/weightSource';
import { disposeAdapter, sumAdapters } from '../../pipeline/lora';
import { safetensorsFile } from '../files';
import { anyMmdit, type FixtureConfig } from './mmdit';
import { pictureOf, row, tensorOf, valuesNchw, worst, type Row } from './rows';
import { GAIN, type Weighing } from './weighing';

const OUTPUT = 2e-4;
/** Only the order of sums differs. */
const SAME = 1e-5;

/** A file, what its output is called, and the strength at which it acts. */
const cases: readonly (readonly [file: string, output: string, strength: number])[] = [
  ['lora_kohya', 'out.kohya', 1], ['lora_kohya', 'out.kohya_multiplier_0.6', 0.6],
  ['lora_peft', 'out.peft', 1], ['lora_peft', 'out.peft_scale_0.6', 0.6],
  ['lora_peft_alpha8', 'out.peft_alpha8', 1], ['lora_peft_as_kohya', 'out.peft', 1],
];

export const loraModel = (mmdit: Mmdit): LoraModel => ({ sites: loraSites(mmdit, 'all'), depth: mmdit.config.depth, hidden: mmdit.config.hidden, pooledWidth: mmdit.config.pooledWidth });

function adapterOf(tensors: StoredTensors): Adapter {
  const tensor = (name: string) => tf.tensor2d(tensors[name]!.data, tensors[name]!.shape as [number, number]);
  const sites = Object.keys(tensors).flatMap((name) => (name.endsWith('.a') ? [name.slice(0, -2)] : []));
  return Object.fromEntries(sites.map((site) => [site, { a: tensor(`${site}.a`), b: tensor(`${site}.b`), scale: 1 }]));
}

async function drawn(mmdit: Mmdit, input: MmditInput, tensors: StoredTensors, strength: number): Promise<Float32Array> {
  const adapter = adapterOf(tensors);
  const summed = sumAdapters([{ adapter, weight: strength }]);
  const v = velocity(mmdit, input, summed, null);
  const values = await valuesNchw(v);
  v.dispose();
  [adapter, summed].forEach(disposeAdapter);
  return values;
}

/** Names of one file that the other lacks or has in another shape. */
function differences(ours: WeightSource, theirs: WeightSource): number {
  const missing = (from: WeightSource, to: WeightSource) => from.keys().filter((key) => !to.has(key) || to.shape(key).join() !== from.shape(key).join());
  return missing(ours, theirs).length + missing(theirs, ours).length;
}

const exported = (tensors: StoredTensors, keys: 'diffusers' | 'kohya') => writeLora({
  tensors, name: 'fixture', trigger: '', recipe: { kind: 'instance' }, usesRows: false, base: { id: 'sd3.5-medium', sha256: '' }, lambda: 1, likeness: null, captions: [],
  options: { includeCaptions: false, includeRows: false, keys }, author: '', thumbnail: null, date: '2026-01-01',
});

export async function loraRows(dir: string, config: FixtureConfig, by: Weighing): Promise<Row[]> {
  const io = await safetensorsFile(join(dir, 'lora.io.safetensors'));
  const mmdit = await anyMmdit(dir, 'mmditx', config, by.layer);
  const model = loraModel(mmdit);
  const input: MmditInput = {
    x: await pictureOf(io, 'in.x'), sigma: [...(await io.read('in.timestep'))].map((timestep) => timestep / 1000),
    context: await tensorOf<tf.Tensor3D>(io, 'in.context'), pooled: await tensorOf<tf.Tensor2D>(io, 'in.pooled'),
  };
  const path = (file: string) => join(dir, `${file}.safetensors`);
  const read = async (file: string) => readLora(await openAsBlob(path(file)), model, file);
  const golden = async (component: string, found: Float32Array, output: string) => by.row(component, found, await io.read(output), { error: worst, tolerance: OUTPUT }, { blocks: config.depth, gain: GAIN.transformer });
  const rows = [await golden('lora none', await drawn(mmdit, input, {}, 1), 'out.base')];
  for (const [file, output, strength] of cases) {
    if (!io.has(output)) continue;
    const { tensors, unmatched, matched, total } = await read(file);
    const name = `${file} × ${strength} (${matched} of ${total} layers)`;
    rows.push(unmatched.length > 0 ? row(name, Infinity, OUTPUT) : await golden(name, await drawn(mmdit, input, tensors, strength), output));
  }
  const { tensors } = await read('lora_peft');
  const wanted = await drawn(mmdit, input, tensors, 1);
  for (const [keys, twin] of [['diffusers', 'lora_peft'], ['kohya', 'lora_peft_as_kohya']] as const) {
    const bytes = await exported(tensors, keys);
    const back = await readLora(new Blob([bytes]), model, keys);
    rows.push(row(`lora exported as ${keys}, read back`, worst(await drawn(mmdit, input, back.tensors, 1), wanted), SAME));
    rows.push(row(`lora exported as ${keys}: names and shapes`, differences(openSafetensors(bytes), await safetensorsFile(path(twin))), 0));
  }
  tf.dispose([input.x, input.context, input.pooled]);
  disposeMmdit(mmdit);
  return rows;
}
