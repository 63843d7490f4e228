"""Pictures from a base: Euler sampling with guidance, contact sheets, and the export to the folder that ships."""
import json
import math
import random
import shutil
from pathlib import Path

import torch
from PIL import Image
from transformers import CLIPTextModelWithProjection

import models as M
import world as W
from data import GRID, LATENT, load_tokenizer
from flow import condition
from prompts import prompts
from words import article

OLD_PROMPTS = [  # version 2's own sheet
    'a dog on a beach', 'a big red cat in a city', 'a pizza on a checkerboard', 'a small rocket at the top in the night sky',
    'a blue bicycle on grass', 'a penguin in the snow', 'a robot on the left in a room', 'an apple on the left and a banana on the right on a white background',
    'three tigers on grass', 'pixel art of a lion in a desert', 'a car in a city, pencil sketch', 'sepia photo of a guitar in a room',
    'an octopus underwater', 'a golden crown on a black background', 'a house in a forest', 'watercolor painting of a sunflower at sunset',
    'a purple elephant on a beach', 'a big burger on a yellow background', 'two frogs underwater', 'a train in the snow',
    'a green dragon on the left and a unicorn on the right at night', 'a small snowman on the right on grass', 'a pink fox in a forest', 'an owl at the bottom on a cyan background',
]
NEW_PROMPTS = [
    'a big horse on a farm', 'a panda in a forest in the rain', 'a castle in the mountains', 'a shark at sea', 'a camera on a pink background', 'a cactus in a desert at night', 'an ice cream on a beach', 'a teddy in a room',
    'a truck on a road', 'a ufo in space', 'a big orange butterfly in a park', 'four eggs in a kitchen', 'a book on top of a chair in a library', 'a mouse in front of a cheese in a kitchen', 'a big bee, line art', 'night light of a whale at sea',
]
FACES = [
    'a big woman with red curly hair, smiling, in a room', 'a big man with a black beard, wearing glasses, in a city', 'a girl with blond braids, laughing, in a park', 'a boy with brown spiky hair, surprised, on a beach',
    'a big old man with white short hair, wearing a blue hat, in a library', 'a woman with black long hair, sad, wearing a yellow sweater, in the rain', 'a big man with a bald head, wearing sunglasses, on a yellow background', 'a huge woman with pink hair, winking, on a blue background',
    'a standing woman with a brown ponytail, wearing a red dress, on grass', 'a standing boy holding a kite in a park', 'a big girl with black hair, angry, wearing a green beanie, in the snow', 'pencil sketch of a big man with short hair, smiling',
]

PEOPLE = [('woman', 'red curly'), ('man', 'black short'), ('girl', 'blond long'), ('boy', 'brown spiky')]
LOOKS = [  # style, expression or what is worn, place
    ('', '', 'on a white background'), ('', ', smiling,', 'in a park'), ('', ', sad,', 'in the rain'), ('', ', laughing,', 'on a beach'), ('', ', surprised,', 'in a city'), ('', ', angry,', 'in a room'),
    ('', ', winking,', 'on a blue background'), ('', ', wearing glasses,', 'in a library'), ('', ', wearing sunglasses,', 'in a desert'), ('', ', wearing a blue hat,', 'in the snow'), ('pencil sketch of ', '', 'in a forest'), ('watercolor painting of ', '', 'by a lake'),
]


class Base:
    """The parts of a base folder in float32. Its four-step student, if it has one, is added on demand."""

    def __init__(self, folder, device='cpu', eye=False):
        self.folder, self.device = Path(folder), device
        self.tokenizer = load_tokenizer(self.folder)
        self.text = CLIPTextModelWithProjection.from_pretrained(self.folder / 'text_encoder').float().eval().to(device)
        self.dit, self.ae = M.load(M.MMDiT, self.folder / 'transformer').float().to(device), M.load(M.TinyAutoencoder, self.folder / 'vae').float().to(device)
        self.vision = None
        if eye:
            from transformers import CLIPVisionModelWithProjection
            self.vision = CLIPVisionModelWithProjection.from_pretrained(self.folder / 'image_encoder').float().eval().to(device)

    @torch.no_grad()
    def read(self, prompts):
        return condition(self.text, torch.tensor([self.tokenizer(p) for p in prompts], device=self.device))

    @torch.no_grad()
    def walk(self, prompts, steps, guidance, noise, keep=None):
        """Latents after Euler steps from noise, sigmas evenly from 1 to 0; guidance 1 asks the model once a step. keep: list that gets the latents before each step."""
        twice = guidance != 1
        (context, pooled), (none, nothing), x = self.read(prompts), self.read(['']), noise
        if twice:
            context, pooled = torch.cat([context, none.expand_as(context)]), torch.cat([pooled, nothing.expand_as(pooled)])
        sigmas = torch.linspace(1, 0, steps + 1).tolist()
        for now, then in zip(sigmas, sigmas[1:]):
            if keep is not None:
                keep.append(x)
            with torch.autocast(self.device if self.device == 'cuda' else 'cpu', dtype=torch.bfloat16, enabled=self.device == 'cuda'):
                v = self.dit(torch.cat([x, x]) if twice else x, context, pooled, torch.full((len(context),), now * 1000., device=self.device)).float()
            if twice:
                v, v0 = v.chunk(2)
                v = v0 + guidance * (v - v0)
            x = x + (then - now) * v
        return x

    @torch.no_grad()
    def decode(self, x):
        return self.ae.decode(x / self.ae.config['scaling_factor'] + self.ae.config['shift_factor']).clamp(-1, 1)

    def noise(self, n, seed):
        return torch.randn(n, LATENT, GRID, GRID, generator=torch.Generator().manual_seed(seed)).to(self.device)

    def draw(self, prompts, steps=20, guidance=3., seed=5, batch=24):
        noise = self.noise(len(prompts), seed)
        return torch.cat([self.decode(self.walk(prompts[i:i + batch], steps, guidance, noise[i:i + batch])).cpu() for i in range(0, len(prompts), batch)])


def grid(images, path, columns=8):
    """images [N,3,H,W] in -1..1 -> one picture."""
    h = W.SIZE
    out = Image.new('RGB', (columns * h, math.ceil(len(images) / columns) * h))
    for i, im in enumerate(images.add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy()):
        out.paste(Image.fromarray(im), ((i % columns) * h, (i // columns) * h))
    out.save(path)


def sheet(a):
    """work/sheet-*.png: fixed prompts of old nouns, new nouns, people; every noun once, on backgrounds in turn. For the model card: every fourteenth noun on every eighth background, four people in twelve
    looks, and the first 48 prompts that say every fact of a random scene, none of them chosen."""
    base = Base(a.start or a.work / 'base', a.device)
    backgrounds = ['on a beach', 'in a forest', 'on a white background', 'in a room']
    sets = {'old': OLD_PROMPTS, 'new': NEW_PROMPTS, 'faces': FACES, 'nouns': [f'{article("big " + n, n)} {backgrounds[i % 4]}' for i, n in enumerate(W.NOUNS)],
            'backgrounds': [f'{article("big " + n, n)} {names[0]}' for names in list(W.BACKGROUNDS.values())[::8] for n in W.NOUNS[::14]],
            'looks': [f'{style}a big {who} with {hair} hair{look} {place}' for who, hair in PEOPLE for style, look, place in LOOKS],
            'random': [text for _, text, _ in prompts(base.tokenizer, 48, W.World(), random.Random(2026), .34)]}
    for name in (['old'] if a.smoke else a.sheets.split(',')):
        grid(base.draw(sets[name][:8] if a.smoke else sets[name], 4 if a.smoke else 20), a.work / f'sheet-{name}.png', 8 if name in ('old', 'new', 'faces') else 12)
        print(a.work / f'sheet-{name}.png')


def export(a):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file
    a.out.mkdir(parents=True, exist_ok=True)
    shutil.copytree(a.work / 'base', a.out, dirs_exist_ok=True)
    for f in a.out.rglob('*.safetensors'):
        with safe_open(f, 'pt') as opened:
            about = opened.metadata()  # an adapter says there what it is
        save_file({k: v.half().contiguous() for k, v in load_file(f).items() if not k.endswith('position_ids')}, f, metadata={'format': 'pt', **(about or {})})
    for part in ('text_encoder', 'image_encoder'):
        if (a.out / part).exists():
            config = json.loads((a.out / part / 'config.json').read_text())
            (a.out / part / 'config.json').write_text(json.dumps({**config, 'dtype': 'float16'}, indent=2))
    (a.out / 'scheduler').mkdir(exist_ok=True)
    (a.out / 'scheduler/scheduler_config.json').write_text(json.dumps({'_class_name': 'FlowMatchEulerDiscreteScheduler', 'num_train_timesteps': 1000, 'shift': 1.0}, indent=2))
    (a.out / 'model_index.json').write_text(json.dumps({
        '_class_name': 'StableDiffusion3Pipeline', 'scheduler': ['diffusers', 'FlowMatchEulerDiscreteScheduler'], 'text_encoder': ['transformers', 'CLIPTextModelWithProjection'],
        'tokenizer': ['transformers', 'CLIPTokenizer'], 'transformer': ['diffusers', 'SD3Transformer2DModel'], 'vae': ['diffusers', 'AutoencoderTiny'],
        'image_encoder': ['transformers', 'CLIPVisionModelWithProjection']}, indent=2))
    print(sum(f.stat().st_size for f in a.out.rglob('*') if f.is_file()) / 1e6, 'MB')
