/**
 * For the scripts that PureCC's authors released: a CSV of image_path, prompt, target_prompt, base_prompt and instance_word for each
 * stage, and a script that runs both. Three of their habits decide the layout: the first stage puts the token where a prompt says
 * [v] and the second does not, so that each has a CSV of its own; the second looks for the first one's checkpoint at step 400, in
 * folders named by the CSV, so both have one name; and only the first six rows are read.
 */
import { command, script } from './shell';
import { bytesOf, FROM_TRAINER, MARK, oneLine, pictureName, type Folder, type Handover } from './types';

const FOLDER = 'purecc';
const TOKEN = '<new1>';
const CSV = 'concept';
/** Rows their data set reads. */
export const ROWS_READ = 6;
/** The step whose checkpoint the second stage looks for. */
const CHECKPOINT = 400;

/** RFC 4180. */
const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const csv = (rows: readonly (readonly string[])[]): Uint8Array => bytesOf(`${rows.map((row) => row.map(cell).join(',')).join('\n')}\n`);

export function pureccFolder({ kind, classWord, pictures, training }: Handover): Folder {
  const table = (token: string) => csv([
    ['image_path', 'prompt', 'target_prompt', 'base_prompt', 'instance_word'],
    ...pictures.map(({ captions }, i) => [
      `${FROM_TRAINER}/${pictureName(i)}`, ...[captions.complete, captions.target, captions.base].map((text) => oneLine(text.replaceAll(MARK, token))), oneLine(classWord) || (kind === 'style' ? 'style' : 'thing'),
    ]),
  ]);
  const { side, rank, steps, batch, learningRate, wordLearningRate, weightDecay, gradientClip, eta, fixedLambda, seed } = training;
  const both = { resolution: side, rank, max_grad_norm: gradientClip, adam_weight_decay: weightDecay, lr_scheduler: 'constant', lr_warmup_steps: 0, weighting_scheme: 'logit_normal', mixed_precision: 'bf16', checkpointing_steps: 100, gradient_checkpointing: true, seed };
  const first = command('accelerate launch "$SCRIPTS/train_stage1_sd3.py"', {
    pretrained_model_name_or_path: '$MODEL', data_path: 'stage1', csv_name: `${CSV}.csv`, output_dir: `$OUT/${CSV}/base_ckpt`, new_concept_token: TOKEN, embedding_lr: wordLearningRate,
    learning_rate: learningRate[0], train_batch_size: batch[0], max_train_steps: Math.max(CHECKPOINT, steps[0]), ...both,
  });
  const second = command('accelerate launch "$SCRIPTS/train_stage2_sd3.py"', {
    pretrained_model_name_or_path: '$MODEL', data_path: 'stage2', csv_name: `${CSV}.csv`, output_dir: '$OUT', stage1_output_dir: `$OUT/${CSV}/base_ckpt/${CSV}/checkpoint-${CHECKPOINT}`,
    learning_rate: learningRate[1], train_batch_size: batch[1], max_train_steps: steps[1], eta, fix_lambda: fixedLambda, ...both,
  });
  const notes = [
    'Trains both stages with the scripts of PureCC\'s authors. MODEL: a folder or a name on the hub; SCRIPTS: their folder "training".',
    `The second stage reads the first one's checkpoint of step ${CHECKPOINT}, and learns with a fixed lambda.`,
    ...(pictures.length > ROWS_READ ? [`They read the first ${ROWS_READ} rows of a CSV: the other ${pictures.length - ROWS_READ} pictures are only used where PureCC_dataset.py says more.`] : []),
  ];
  const text = script(notes, { MODEL: 'stabilityai/stable-diffusion-3.5-medium', SCRIPTS: '../../PureCC/training', OUT: 'out' }, [first, second]);
  return {
    files: {
      [`${FOLDER}/stage1/${CSV}.csv`]: table('[v]'),
      [`${FOLDER}/stage2/${CSV}.csv`]: table(TOKEN),
      [`${FOLDER}/train.sh`]: bytesOf(text),
    },
    runs: [`${FOLDER}/train.sh`],
  };
}
