"""Styles: what each does to a finished picture, and what tints and small changes of colour do to a sprite."""
import numpy as np
from PIL import Image, ImageFilter, ImageOps

from backgrounds import SIZE


def tinted(image, rgb, strength=.85):
    a = np.asarray(image).astype(np.float32)
    light = ((a[..., :3] @ np.array([.3, .59, .11], np.float32)) / 255)[..., None]
    c = np.array(rgb, np.float32)
    shaded = np.where(light < .55, c * .15 + c * .85 * (light / .55), c + (255 - c) * ((light - .55) / .45) * .75)
    a = a.copy()
    a[..., :3] = a[..., :3] * (1 - strength) + shaded * strength
    return Image.fromarray(a.clip(0, 255).astype(np.uint8), 'RGBA')


def jittered(image, r):
    a = np.asarray(image).astype(np.float32).copy()
    grey = a[..., :3].mean(-1, keepdims=True)
    a[..., :3] = (grey + (a[..., :3] - grey) * r.uniform(.92, 1.08)) * r.uniform(.95, 1.04)
    return Image.fromarray(a.clip(0, 255).astype(np.uint8), 'RGBA')


def flat_colours(im, count):
    soft = im.filter(ImageFilter.MedianFilter(3))
    return soft.quantize(count, method=Image.MEDIANCUT, dither=Image.Dither.NONE).convert('RGB')


def stylized(im, style, squares=()):
    """squares: (class, x, y, side) of what is shown, for the style that lights it."""
    if style == 'pixel':
        return im.resize((32, 32), Image.BOX).quantize(20, method=Image.FASTOCTREE).convert('RGB').resize((SIZE, SIZE), Image.NEAREST)
    if style == 'sketch':
        grey = im.convert('L')
        a = np.asarray(grey).astype(np.float32)
        b = np.asarray(ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(3))).astype(np.float32)
        lines = 255 - (255 - np.clip(a * 255 / (256 - b), 0, 255)) * 1.5
        out = lines.clip(0, 255) * .9 + a * .1
        return Image.fromarray(np.repeat(out[..., None], 3, -1).clip(0, 255).astype(np.uint8))
    if style == 'sepia':
        light = (np.asarray(im).astype(np.float32) @ np.array([.3, .59, .11], np.float32))[..., None]
        return Image.fromarray((light * np.array([1.07, .86, .62], np.float32) + np.array([12, 6, 0])).clip(0, 255).astype(np.uint8))
    if style == 'watercolor':
        soft = np.asarray(im.filter(ImageFilter.MedianFilter(7)).filter(ImageFilter.GaussianBlur(.8))).astype(np.float32) * .72 + 255 * .28
        edge = np.asarray(im.convert('L').filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(1.2))).astype(np.float32)[..., None]
        return Image.fromarray((soft - edge * .35).clip(0, 255).astype(np.uint8))
    if style == 'flat':
        return flat_colours(im, 9)
    if style == 'line':
        a = np.asarray(flat_colours(im, 10)).astype(np.float32)
        step = np.zeros(a.shape[:2], np.float32)
        step[:, 1:] = abs(a[:, 1:] - a[:, :-1]).max(-1)
        step[1:] = np.maximum(step[1:], abs(a[1:] - a[:-1]).max(-1))
        ink = Image.fromarray(((step > 26) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(.7))
        return ImageOps.colorize(ImageOps.invert(ink.point(lambda v: min(255, int(v * 1.7)))), (24, 24, 32), (252, 252, 250))
    if style == 'glow':
        a = np.asarray(im).astype(np.float32)
        ys, xs = np.mgrid[0:SIZE, 0:SIZE]
        light = np.zeros((SIZE, SIZE), np.float32)
        for _, x, y, side in squares:
            light = np.maximum(light, np.exp(-((xs - x - side / 2) ** 2 + (ys - y - side / 2) ** 2) / (2 * (side * .42) ** 2)))
        k = light[..., None]
        gain = np.array([.2, .26, .48], np.float32) * (1 - k) + np.array([1.12, .98, .72], np.float32) * k
        return Image.fromarray((a * gain + np.array([6, 6, 26], np.float32)).clip(0, 255).astype(np.uint8))
    return im
