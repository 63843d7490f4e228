/** The base's folder as diffusers and transformers read it, part by part and without being told a dtype. */
import { readFile, stat } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { openSafetensors } from '../formats/safetensors';

const folder = 'public/base';
const json = async (path: string) => JSON.parse(await readFile(`${folder}/${path}`, 'utf8')) as Record<string, unknown>;
const weightsOf: Record<string, string> = {
  text_encoder: 'model.safetensors', image_encoder: 'model.safetensors', transformer: 'diffusion_pytorch_model.safetensors', vae: 'diffusion_pytorch_model.safetensors',
};
const stored: Record<string, string> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

it('has each part the index names, and each says its class', async () => {
  const { _class_name: _, ...parts } = await json('model_index.json');
  expect(Object.keys(parts).sort()).toEqual(['image_encoder', 'scheduler', 'text_encoder', 'tokenizer', 'transformer', 'vae']);
  for (const [part, [, name]] of Object.entries(parts as Record<string, [string, string]>)) {
    const config = await json(`${part}/${part === 'scheduler' ? 'scheduler_config' : part === 'tokenizer' ? 'tokenizer_config' : 'config'}.json`);
    expect(config._class_name ?? config.tokenizer_class ?? (config.architectures as string[])[0]).toBe(name);
  }
  for (const file of ['vocab.json', 'merges.txt']) expect((await stat(`${folder}/tokenizer/${file}`)).size).toBeGreaterThan(0);
});

it.each(Object.entries(weightsOf))('%s: weights of one kind, the one its config says, in a file of PyTorch’s', async (part, file) => {
  const { header } = openSafetensors(new Uint8Array(await readFile(`${folder}/${part}/${file}`)));
  expect(header.metadata.format).toBe('pt');
  const kinds = new Set(Object.values(header.tensors).map(({ dtype }) => stored[dtype]));
  expect(kinds.size).toBe(1);
  // diffusers' models have no dtype in their config and are read as float32; transformers takes the config's word for its own
  const config = await json(`${part}/config.json`);
  if (part.endsWith('encoder')) expect(config.dtype ?? config.torch_dtype).toBe([...kinds][0]);
  else expect(config).not.toHaveProperty('dtype');
});
