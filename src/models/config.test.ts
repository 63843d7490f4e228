import { describe, expect, it } from 'vitest';
import { folderFiles } from '../testing/files';
import { tinySource } from '../testing/tiny';
import { readLatentToRgb } from '../pipeline/sampling/latentToRgb';
import { loadClipText, loadClipVision } from './clip';
import { loadMmdit } from './mmdit';
import { loadAutoencoder } from './vae';

const files = folderFiles('public/base');
const mismatch = (subject: string) => ({ code: 'base-mismatch', subject });

describe('a config that is not as expected is named', () => {
  it.each([[{}], [{ num_attention_heads: 2.5 }], [{ num_attention_heads: 3, hidden_act: 'swish' }], [{ num_attention_heads: 3, eos_token_id: 'last' }]])('text encoder %j', async (config) => {
    await expect(loadClipText(await files.weights('text_encoder'), config)).rejects.toMatchObject(mismatch('text_encoder/config.json'));
  });
  it('image encoder', async () => {
    await expect(loadClipVision(await files.weights('image_encoder'), { num_attention_heads: 3, layer_norm_eps: '1e-5' })).rejects.toMatchObject(mismatch('image_encoder/config.json'));
  });
  it('transformer', async () => {
    await expect(loadMmdit(tinySource(), { num_layers: 'all' })).rejects.toMatchObject(mismatch('transformer/config.json'));
  });
  it('autoencoder', async () => {
    await expect(loadAutoencoder(await files.weights('vae'), { _class_name: 'AutoencoderTiny', scaling_factor: 'large' })).rejects.toMatchObject(mismatch('vae/config.json'));
  });
  it.each([[null], [{}], [{ latentToRgb: [[1, 2, 3]] }], [{ latentToRgb: [[1, 2, 3], [1, 2, 3], [1, 2]] }], [{ latentToRgb: [[1, 2, 3], [1, 2, 3], [1, 2, 'red']] }]])('colours of a latent: %j', (file) => {
    expect(() => readLatentToRgb(file, 2)).toThrow(expect.objectContaining(mismatch('vae/latent_rgb.json')));
  });
});

it('the colours of the embedded base fit its latents', async () => {
  expect(readLatentToRgb(await files.json('vae/latent_rgb.json'), 16)).toHaveLength(17);
});
