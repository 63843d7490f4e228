/**
 * For diffusers' train_dreambooth_lora_sd3.py under accelerate: the line for each picture that makes their folder a
 * data set (metadata.jsonl beside them) and a script with the arguments. It trains a plain LoRA in one stage; [V] is spoken by the trigger word.
 */
import { command, script } from './shell';
import { bytesOf, FROM_TRAINER, MARK, oneLine, pictureName, PICTURES, type Folder, type Handover } from './types';

const FOLDER = 'diffusers';

export function diffusersFolder({ kind, pictures, trigger, classWord, training }: Handover): Folder {
  const spoken = (text: string) => oneLine(text.replaceAll(MARK, trigger));
  const lines = pictures.map(({ captions }, i) => JSON.stringify({ file_name: pictureName(i), text: spoken(captions.complete) }));
  const instance = kind === 'world' ? '' : spoken(kind === 'style' ? `a picture, ${MARK}` : `a ${MARK} ${classWord}`);
  const { side, rank, steps, batch, learningRate, weightDecay, gradientClip, flip, seed } = training;
  const run = command('accelerate launch "$SCRIPT"', {
    pretrained_model_name_or_path: '$MODEL', dataset_name: FROM_TRAINER, image_column: 'image', caption_column: 'text', instance_prompt: instance, output_dir: '$OUT',
    resolution: side, center_crop: true, random_flip: flip, rank, learning_rate: learningRate[0], lr_scheduler: 'constant', lr_warmup_steps: 0, train_batch_size: batch[0], max_train_steps: steps[0],
    adam_weight_decay: weightDecay, max_grad_norm: gradientClip, weighting_scheme: 'logit_normal', logit_mean: 0, logit_std: 1, precondition_outputs: 0, mixed_precision: 'bf16', gradient_checkpointing: true, seed,
  });
  const text = script(
    ['Trains a LoRA of these pictures with diffusers. MODEL: a folder or a name on the hub; SCRIPT: where diffusers\' examples lie.', 'Needs: pip install accelerate datasets peft diffusers (0.31 or later), and the requirements beside the script.'],
    { MODEL: 'stabilityai/stable-diffusion-3.5-medium', SCRIPT: '../../diffusers/examples/dreambooth/train_dreambooth_lora_sd3.py', OUT: 'out' }, [run],
  );
  return {
    files: {
      [`${PICTURES}/metadata.jsonl`]: bytesOf(`${lines.join('\n')}\n`),
      [`${FOLDER}/train.sh`]: bytesOf(text),
    },
    runs: [`${FOLDER}/train.sh`],
  };
}
