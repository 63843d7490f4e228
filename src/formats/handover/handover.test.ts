import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readZip } from '../zip';
import { publishedTraining, writeHandover, type Handover } from './index';

const NASTY = 'a [V] dog, “out” at\nnight; $(touch owned) `touch owned` \\ "x" \'y\' & | > z';
const NASTY_WORD = 'dog\'; $(touch owned) "`touch owned`" $HOME \\';
const run = (change: Partial<Handover> = {}): Handover => ({
  name: 'Guide dog', kind: 'instance', trigger: 'zq', classWord: 'dog', training: publishedTraining(7), recipe: '{"version":2}',
  pictures: [NASTY, 'a [V] dog on a beach'].map((complete, i) => ({ png: Uint8Array.from([137, 80, 78, 71, i]), captions: { complete, base: complete.replaceAll('[V] ', ''), target: '[V] dog' } })), ...change,
});
const contents = (given: Handover) => new Map([...readZip(writeHandover(given).bytes, 'a.zip')].map(([name, bytes]) => [name.replace(/^[^/]+\//, ''), bytes] as const));
const text = (files: Map<string, Uint8Array>, name: string) => new TextDecoder().decode(files.get(name));

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));
/** Unpacks it, runs a script with an accelerate that only writes down how it was called, and gives the calls. */
function calls(given: Handover, script: string): { program: string; given: Record<string, string>; folder: string }[] {
  const folder = mkdtempSync(join(tmpdir(), 'handover-'));
  folders.push(folder);
  for (const [name, bytes] of contents(given)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  mkdirSync(join(folder, 'bin'));
  const log = join(folder, 'calls');
  writeFileSync(join(folder, 'bin', 'accelerate'), '#!/bin/sh\npwd >> "$LOG"\nfor a in "$@"; do printf "%s\\0" "$a" >> "$LOG"; done\nprintf "\\1" >> "$LOG"\n', { mode: 0o755 });
  execFileSync('sh', [join(folder, script)], { env: { PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}`, LOG: log }, cwd: tmpdir() });
  return readFileSync(log, 'utf8').split('\u0001').filter(Boolean).map((call) => {
    const [at, rest] = [call.indexOf('\n'), call.slice(call.indexOf('\n') + 1)];
    const [verb, program, ...given] = rest.split('\0').filter(Boolean);
    expect(verb).toBe('launch');
    return { program: program!, folder: call.slice(0, at).replace(folder, ''), given: Object.fromEntries(given.map((argument) => { const [, name, value] = /^--([a-z0-9_]+)(?:=([^]*))?$/.exec(argument)!; return [name!, value ?? '']; })) };
  });
}
/** RFC 4180, as data frames read it. */
const parsed = (csv: string) => [...csv.matchAll(/(?:^|[,\n])(?:"((?:[^"]|"")*)"|([^",\n]*))/g)].map(([, inQuotes, plain]) => (inQuotes ?? plain)!.replaceAll('""', '"'));

describe('for diffusers', () => {
  it('is a picture folder with a line for each picture, [V] spoken, and nothing of a caption run as a program', () => {
    const files = contents(run());
    const lines = text(files, 'pictures/metadata.jsonl').trim().split('\n').map((line) => JSON.parse(line) as { file_name: string; text: string });
    expect(lines).toEqual([{ file_name: '01.png', text: NASTY.replace('[V]', 'zq').replace('\n', ' ') }, { file_name: '02.png', text: 'a zq dog on a beach' }]);
    for (const { file_name } of lines) expect(files.get(`pictures/${file_name}`)![0]).toBe(137);
  });

  it('is started with the recipe’s figures, from the folder of the script', () => {
    const training = { ...publishedTraining(7), rank: 16, learningRate: [3e-4, 1e-4] as const, flip: true };
    const [call, ...more] = calls(run({ training, classWord: NASTY_WORD }), 'diffusers/train.sh');
    expect(more).toEqual([]);
    expect(call).toMatchObject({ program: '../../diffusers/examples/dreambooth/train_dreambooth_lora_sd3.py', folder: '/diffusers' });
    expect(call!.given).toEqual({
      pretrained_model_name_or_path: 'stabilityai/stable-diffusion-3.5-medium', dataset_name: '../pictures', image_column: 'image', caption_column: 'text', instance_prompt: `a zq ${NASTY_WORD}`, output_dir: 'out',
      resolution: '512', center_crop: '', random_flip: '', rank: '16', learning_rate: '0.0003', lr_scheduler: 'constant', lr_warmup_steps: '0', train_batch_size: '4', max_train_steps: '400', adam_weight_decay: '0.0001',
      max_grad_norm: '1', weighting_scheme: 'logit_normal', logit_mean: '0', logit_std: '1', precondition_outputs: '0', mixed_precision: 'bf16', gradient_checkpointing: '', seed: '7',
    });
    expect(calls(run(), 'diffusers/train.sh')[0]!.given).not.toHaveProperty('random_flip');
  });
});

describe('for PureCC’s scripts', () => {
  it('has a CSV for each stage: [v] in the first, the token itself in the second', () => {
    const files = contents(run());
    const [first, second] = ['stage1', 'stage2'].map((stage) => parsed(text(files, `purecc/${stage}/concept.csv`)));
    expect(first!.slice(0, 5)).toEqual(['image_path', 'prompt', 'target_prompt', 'base_prompt', 'instance_word']);
    const said = NASTY.replace('\n', ' ');
    expect(first!.slice(5, 10)).toEqual(['../pictures/01.png', said.replace('[V]', '[v]'), '[v] dog', said.replace('[V] ', ''), 'dog']);
    expect(second!.slice(5, 10)).toEqual(['../pictures/01.png', said.replace('[V]', '<new1>'), '<new1> dog', said.replace('[V] ', ''), 'dog']);
    expect(files.has('pictures/02.png')).toBe(true);
    expect(text(files, 'purecc/stage2/concept.csv')).not.toMatch(/\[v\]/i);
  });

  it('runs both, the second on what the first leaves where it looks for it', () => {
    const [first, second] = calls(run({ training: { ...publishedTraining(7), steps: [150, 900], eta: 0.5 } }), 'purecc/train.sh');
    expect([first!.program, second!.program].map((path) => path.split('/').at(-1))).toEqual(['train_stage1_sd3.py', 'train_stage2_sd3.py']);
    // the scripts put the CSV's name behind their output folder
    expect(first!.given).toMatchObject({ data_path: 'stage1', csv_name: 'concept.csv', output_dir: 'out/concept/base_ckpt', new_concept_token: '<new1>', max_train_steps: '400', checkpointing_steps: '100', embedding_lr: '0.005', train_batch_size: '4' });
    expect(second!.given).toMatchObject({ data_path: 'stage2', csv_name: 'concept.csv', output_dir: 'out', stage1_output_dir: 'out/concept/base_ckpt/concept/checkpoint-400', max_train_steps: '900', eta: '0.5', fix_lambda: '1', train_batch_size: '1' });
  });

  it('says that only six rows are read, where there are more', () => {
    const many = run({ pictures: Array.from({ length: 9 }, () => run().pictures[1]!) });
    expect(text(contents(many), 'purecc/train.sh')).toContain('the other 3 pictures');
    expect(text(contents(run()), 'purecc/train.sh')).not.toContain('other');
  });
});

describe('the archive', () => {
  it('lies in a folder of its own with the recipe and a note, the same bytes each time', () => {
    const { bytes, fileName } = writeHandover(run());
    expect(fileName).toBe('guide-dog-to-train.zip');
    expect([...readZip(bytes, fileName).keys()].every((name) => name.startsWith('guide-dog/'))).toBe(true);
    expect(text(contents(run()), 'recipe.json')).toBe('{"version":2}\n');
    expect(text(contents(run()), 'README.txt')).toContain('has your pictures');
    expect(writeHandover(run()).bytes).toEqual(bytes);
    expect(writeHandover(run({ name: '../..' })).fileName).toBe('concept-to-train.zip');
  });

  it('of a world has pictures without captions, and nothing for PureCC', () => {
    const world = run({ kind: 'world', trigger: '', classWord: '', pictures: [{ png: new Uint8Array(4), captions: { complete: '', base: '', target: '' } }] });
    const files = contents(world);
    expect([...files.keys()].some((name) => name.startsWith('purecc'))).toBe(false);
    expect(text(files, 'pictures/metadata.jsonl')).toBe('{"file_name":"01.png","text":""}\n');
    expect(calls(world, 'diffusers/train.sh')[0]!.given.instance_prompt).toBe('');
  });
});
