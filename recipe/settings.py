"""Sizes that every stage shares."""
import world as W

SIZES = {
    'cpu': dict(width=256, heads=4, layers=6, text=192, text_layers=4, vae=48, vision=192, vision_layers=4),
    'gpu': dict(width=384, heads=6, layers=12, text=256, text_layers=6, vae=64, vision=256, vision_layers=6),
}
LATENT = 16          # channels, as SD3
GRID = W.SIZE // 8   # latent side
CAPTIONS = 4         # of each scene
HELD = 512           # scenes at the end of the data, for validation
