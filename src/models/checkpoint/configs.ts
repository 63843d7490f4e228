/**
 * The configs and vocabularies that a base's folder has beside its weights, for checkpoints that come without: from tensor shapes
 * where those tell, else the released models' values. What the files do bring (a folder's JSON, a header's) goes first.
 */
import { Fault } from '../../protocol/faults';
import type { FoundPart, PartName } from './parts';

/** Files of a base's folder that an import keeps; the header key under which a single file may carry them. */
export const CARRIED_PATHS = [
  'transformer/config.json', 'vae/config.json', 'vae/latent_rgb.json', 'vae_preview/config.json', 'text_encoder/config.json', 'text_encoder_2/config.json', 'text_encoder_3/config.json', 'image_encoder/config.json',
  'scheduler/scheduler_config.json', 'tokenizer/merges.txt', 'tokenizer_3/tokenizer.json',
] as const;
export const CARRIED_KEY = 'lamina.files';

/** Tokens of CLIP's own vocabulary. */
export const CLIP_VOCABULARY = 49_408;
/** Side of the pictures a model of SD3's family draws unless its config says otherwise, in latent pixels: 512². It can draw 1024², at four times the cost. */
const USUAL_SIDE = 64;

/** Latent → RGB of SD3's autoencoder, as Stability's and ComfyUI's previews have it; the last row is added. */
const SD3_LATENT_RGB = [
  [-0.0922, -0.0175, 0.0749], [0.0311, 0.0633, 0.0954], [0.1994, 0.0927, 0.0458], [0.0856, 0.0339, 0.0902], [0.0587, 0.0272, -0.0496], [-0.0006, 0.1104, 0.0309],
  [0.0978, 0.0306, 0.0427], [-0.0042, 0.1038, 0.1358], [-0.0194, 0.002, 0.0669], [-0.0488, 0.013, -0.0268], [0.0922, 0.0988, 0.0951], [-0.0278, 0.0524, -0.0542],
  [0.0332, 0.0456, 0.0895], [-0.0069, -0.003, -0.081], [-0.0596, -0.0465, -0.0293], [-0.1448, -0.1463, -0.1189], [0.2394, 0.2135, 0.1925],
];

const shapeOf = ({ tensors }: FoundPart, ...names: string[]) => names.map((name) => tensors.get(name)?.shape).find((shape) => shape !== undefined) ?? [];

/** Of an autoencoder, as its decoder has them. */
export const latentChannels = (part: FoundPart): number => shapeOf(part, 'decoder.conv_in.weight', 'decoder.layers.0.weight')[1] ?? 0;

/** clipMerges: CLIP's merge list, needed where the encoder has CLIP's vocabulary. Faults: `base-mismatch` for a vocabulary nobody knows. */
export async function textsOf(parts: readonly FoundPart[], given: Readonly<Record<string, string>>, clipMerges: () => Promise<string>): Promise<Record<string, string>> {
  const byName = new Map(parts.map((part) => [part.part, part]));
  const texts: Record<string, string> = {};
  for (const path of CARRIED_PATHS) if (given[path] !== undefined) texts[path] = given[path];
  const fill = (path: (typeof CARRIED_PATHS)[number], config: object) => { texts[path] ??= JSON.stringify(config); };

  const transformer = byName.get('transformer');
  if (transformer) fill('transformer/config.json', transformerConfig(transformer));
  fill('scheduler/scheduler_config.json', { _class_name: 'FlowMatchEulerDiscreteScheduler', num_train_timesteps: 1000, shift: 3 });
  const vae = byName.get('vae');
  if (vae) {
    const tiny = vae.tensors.has('decoder.layers.0.weight');
    fill('vae/config.json', tiny ? { _class_name: 'AutoencoderTiny', scaling_factor: 1, shift_factor: 0 } : { _class_name: 'AutoencoderKL', scaling_factor: 1.5305, shift_factor: 0.0609 });
    const channels = latentChannels(vae);
    fill('vae/latent_rgb.json', { latentToRgb: channels === 16 ? SD3_LATENT_RGB : Array.from({ length: channels + 1 }, (_, i) => (i < channels ? [0.1, 0.1, 0.1] : [0.5, 0.5, 0.5])) });
  }
  if (byName.has('vae_preview')) fill('vae_preview/config.json', { _class_name: 'AutoencoderTiny', scaling_factor: 1, shift_factor: 0 });
  const vocabularies: number[] = [];
  for (const name of ['text_encoder', 'text_encoder_2'] as const) {
    const encoder = byName.get(name);
    if (!encoder) continue;
    const { vocabulary, config } = clipConfig(encoder);
    vocabularies.push(vocabulary);
    fill(`${name}/config.json`, config);
  }
  if (byName.has('text_encoder_3')) fill('text_encoder_3/config.json', {});
  if (texts['tokenizer/merges.txt'] === undefined && vocabularies.length > 0) {
    if (vocabularies.some((size) => size !== CLIP_VOCABULARY)) throw new Fault('base-mismatch', `The text encoder has ${vocabularies.find((size) => size !== CLIP_VOCABULARY)} tokens, CLIP’s vocabulary ${CLIP_VOCABULARY}: the words are not known.`, 'Drop the model’s tokenizer/merges.txt along with its files, or its whole folder.', { subject: 'tokenizer/merges.txt' });
    texts['tokenizer/merges.txt'] = await clipMerges();
  }
  return texts;
}

function transformerConfig(part: FoundPart): object {
  const [width = 0, channels = 0, patch = 0] = shapeOf(part, 'pos_embed.proj.weight', 'x_embedder.proj.weight');
  const [, places = 0] = shapeOf(part, 'pos_embed.pos_embed', 'pos_embed');
  const positions = Math.round(Math.sqrt(places));
  const [headWidth = 64] = shapeOf(part, 'transformer_blocks.0.attn.norm_q.weight', 'joint_blocks.0.x_block.attn.ln_q.weight');
  const blocks = new Set([...part.tensors.keys()].flatMap((name) => /^(?:transformer|joint)_blocks\.(\d+)\./.exec(name)?.[1] ?? []));
  return { _class_name: 'SD3Transformer2DModel', sample_size: Math.min(USUAL_SIDE, positions * patch), patch_size: patch, in_channels: channels, pos_embed_max_size: positions, attention_head_dim: headWidth, num_attention_heads: width / headWidth, num_layers: blocks.size };
}

/** CLIP-L uses the quick GELU, CLIP-G the exact one; heads are 64 wide in both. */
function clipConfig(part: FoundPart): { vocabulary: number; config: object } {
  const [vocabulary = 0, width = 0] = shapeOf(part, 'text_model.embeddings.token_embedding.weight');
  const [length = 77] = shapeOf(part, 'text_model.embeddings.position_embedding.weight');
  const second = part.part === 'text_encoder_2';
  return {
    vocabulary,
    config: { hidden_act: second ? 'gelu' : 'quick_gelu', num_attention_heads: Math.max(1, Math.round(width / 64)), max_position_embeddings: length, vocab_size: vocabulary, bos_token_id: vocabulary - 2, eos_token_id: vocabulary - 1, ...(second && { pad_token_id: 0 }) },
  };
}

/** Networks without which nothing can be drawn. */
export const NEEDED: readonly PartName[] = ['transformer', 'vae', 'text_encoder'];

/** What stands for a network on the page. */
export const PART_LABELS: Readonly<Record<PartName, string>> = {
  transformer: 'Transformer', vae: 'Autoencoder', vae_preview: 'Autoencoder for drafts', text_encoder: 'Text encoder CLIP-L', text_encoder_2: 'Text encoder CLIP-G', text_encoder_3: 'Text encoder T5-XXL', image_encoder: 'Image encoder',
};
