"""Joint attention for training on a CPU in bfloat16: joint.cpp, compiled when first asked for. A step of the flow stage of 128 pictures takes two thirds of the time with it."""
import functools
import shutil
from pathlib import Path

import torch

HEAD = 64  # width of a head that joint.cpp is written for


@functools.cache
def compiled():
    """The extension, or None where there is no compiler."""
    if not (shutil.which('g++') and shutil.which('ninja')):
        print('no g++ and ninja: attention goes by PyTorch alone, which is slower')
        return None
    from torch.utils.cpp_extension import load
    return load('lamina_joint', [str(Path(__file__).with_name('joint.cpp'))], extra_cflags=['-O3', '-march=native', '-ffast-math', '-fopenmp'])


def fits(x, head):
    """Whether joint.cpp can take x: bfloat16 on a CPU, heads of 64. Where no gradient is wanted PyTorch's own operations are as good."""
    return x.device.type == 'cpu' and x.dtype == torch.bfloat16 and head == HEAD and torch.is_grad_enabled() and compiled() is not None


class Join(torch.autograd.Function):
    """x [B,N,H·64], y [B,T,H·64] -> [B,H,N+T,64], each row normalised to a root mean square of 1, times wx or wy [64], times scale; wx and wy None: as they are."""

    @staticmethod
    def forward(ctx, x, y, wx, wy, heads, scale):
        none = torch.empty(0)
        saved = x.contiguous(), y.contiguous(), none if wx is None else wx, none if wy is None else wy
        ctx.save_for_backward(*saved)
        ctx.heads, ctx.scale = heads, scale
        return compiled().join(*saved, heads, scale)

    @staticmethod
    def backward(ctx, g):
        x, y, wx, wy = ctx.saved_tensors
        gx, gy, gwx, gwy = compiled().join_back(x, y, wx, wy, g.contiguous(), ctx.heads, ctx.scale)
        return gx, gy, *(gw.to(w.dtype) if w.numel() else None for gw, w in ((gwx, wx), (gwy, wy))), None, None


def check():
    """Prints the relative error of outputs and gradients against float32, with PyTorch's operations and with these: they agree to bfloat16's rounding."""
    import models as M
    torch.manual_seed(0)
    one = M.Attention(256, 4, False)
    for n in ('norm_q', 'norm_k', 'norm_added_q', 'norm_added_k'):
        torch.nn.init.normal_(getattr(one, n).weight, 1, .2)
    x, y = torch.randn(4, 64, 256), torch.randn(4, 24, 256)

    def run(kind, fused):
        global fits
        before, fits = fits, (fits if fused else lambda *_: False)
        m = M.Attention(256, 4, False)
        m.load_state_dict(one.state_dict())
        m.to(kind)
        a, b = (t.detach().to(kind).clone().requires_grad_() for t in (x, y))
        p, q = m(a, b)
        (p.float().pow(2).sum() + q.float().sin().sum()).backward()
        fits = before
        return dict(image=p, text=q, image_gradient=a.grad, text_gradient=b.grad, **{n: getattr(m, n).weight.grad for n in ('norm_q', 'norm_k', 'norm_added_q', 'norm_added_k', 'to_v')})
    exact, plain, fused = run(torch.float32, False), run(torch.bfloat16, False), run(torch.bfloat16, True)
    for n, r in exact.items():
        error = [((t[n].float() - r).norm() / r.norm()).item() for t in (plain, fused)]
        print(f'{n:16s} PyTorch {error[0]:.5f}  joint.cpp {error[1]:.5f}')
        assert error[1] < 1.05 * error[0] + 1e-4, n


if __name__ == '__main__':
    check()
