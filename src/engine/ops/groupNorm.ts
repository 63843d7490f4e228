/** Group norm of small pictures with its gradient in the picture, composed. models/vae/groupNorm.ts is the one for large pictures, without a gradient. */
import { add, mean, mul, reshape, rsqrt, square, sub, type Tensor, type Tensor1D, type Tensor4D } from '../tf';
import { withGradient } from './withGradient';

/** x [B,H,W,C]; weight, bias [C]: each group of neighbouring channels of a picture gets mean 0 and deviation 1, then weight and bias. */
export function groupNorm(x: Tensor4D, weight: Tensor1D, bias: Tensor1D, groups: number, epsilon = 1e-5): Tensor4D {
  const [b, h, w, c] = x.shape;
  const grouped = (t: Tensor) => reshape(t, [b, h * w, groups, c / groups]);
  const whole = (t: Tensor) => reshape(t, [b, h, w, c]) as Tensor4D;
  const means = (t: Tensor) => mean(t, [1, 3], true); // [B,1,G,1]
  return withGradient(
    { x },
    (save) => {
      const g = grouped(x);
      const centred = sub(g, means(g));
      const r = rsqrt(add(means(square(centred)), epsilon));
      const xHat = mul(centred, r);
      save([xHat, r]);
      return add(mul(whole(xHat), weight), bias) as Tensor4D;
    },
    (dy, saved) => {
      const [xHat, r] = saved as [Tensor, Tensor];
      return {
        x: () => {
          const g = grouped(mul(dy, weight));
          return whole(mul(sub(sub(g, means(g)), mul(xHat, means(mul(g, xHat)))), r));
        },
      };
    },
  );
}
