/** The sizes of pictures that a base draws, and the latents that belong to them. */
import { Fault } from '../protocol/faults';

/** In pixels. */
export interface PictureSize { height: number; width: number }
/** [h, w, C] of one latent. */
export type LatentShape = [number, number, number];

export interface Sizes {
  /** The size asked for, or the base's own. Fault `base-mismatch` where the base can't draw it. */
  pictureSize(asked?: PictureSize): PictureSize;
  /** Pixels of a side for each token, the grid that shifted copies keep to. */
  cell: number;
  /** Of a picture of that size. Fault `base-mismatch`. */
  latentShape(asked?: PictureSize): LatentShape;
}

/** own: the size the base was trained at. downscale: pixels of a side for each latent pixel. patch: latent pixels of a side for each token. mostPatches: the side of the transformer's table of positions. */
export function makeSizes({ own, downscale, channels, patch, mostPatches }: { own: PictureSize; downscale: number; channels: number; patch: number; mostPatches: number }): Sizes {
  const token = downscale * patch;
  const fits = (side: number) => side > 0 && side % token === 0 && side <= token * mostPatches;
  const pictureSize = (asked = own): PictureSize => {
    const { height, width } = asked;
    if (!fits(height) || !fits(width)) throw new Fault('base-mismatch', `This base draws pictures with sides in multiples of ${token} pixels, up to ${token * mostPatches}; ${width} × ${height} was asked for.`, `Choose another size, or leave it at ${own.width} × ${own.height}.`);
    return { height, width };
  };
  return {
    cell: token,
    pictureSize,
    latentShape: (asked) => {
      const { height, width } = pictureSize(asked);
      return [height / downscale, width / downscale, channels];
    },
  };
}
