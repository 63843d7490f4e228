"""A pen for pictures of people: curves, ovals and lines in hundredths of a square, with translucent fills that blend."""
import numpy as np
from PIL import Image, ImageDraw


def shade(c, k):
    """Darker (k < 1) or lighter (k > 1) by mixing with a warm dark or white."""
    return tuple(int(x * k + (1 - k) * d) for x, d in zip(c, (50, 16, 30))) if k < 1 else tuple(int(x + (255 - x) * (k - 1)) for x in c)


def smooth(points, n=8):
    """A closed curve through the points (Catmull-Rom)."""
    p, out = np.array(points, float), []
    for i in range(len(p)):
        a, b, c, d = (p[(i + k) % len(p)] for k in (-1, 0, 1, 2))
        for t in np.arange(n) / n:
            out.append(.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t ** 3))
    return [tuple(x) for x in out]


class Pen:
    """Draws in hundredths of the square, moved and scaled."""

    def __init__(self, image, scale=1., dx=0., dy=0.):
        self.image, self.d, self.k, self.dx, self.dy = image, ImageDraw.Draw(image), image.width / 100 * scale, dx * image.width / 100, dy * image.width / 100

    def at(self, points):
        return [(x * self.k + self.dx, y * self.k + self.dy) for x, y in points]

    def blob(self, points, fill):
        pts = self.at(smooth(points))
        self.filled(fill, lambda d, c: d.polygon(pts, fill=c))

    def filled(self, fill, draw):
        """A translucent fill blends with what lies beneath; PIL's own would replace it."""
        if len(fill) == 3:
            return draw(self.d, fill)
        above = Image.new('RGBA', self.image.size, (0, 0, 0, 0))
        draw(ImageDraw.Draw(above), fill)
        self.image.alpha_composite(above)

    def poly(self, points, fill):
        self.d.polygon(self.at(points), fill=fill)

    def oval(self, x, y, rx, ry, fill, outline=None, width=0.):
        where = sum(self.at([(x - rx, y - ry), (x + rx, y + ry)]), ())
        self.filled(fill, lambda d, c: d.ellipse(where, fill=c))
        if outline:
            self.d.ellipse(where, outline=outline, width=max(1, int(width * self.k)))

    def line(self, points, fill, width):
        pts, w = self.at(points), max(1, round(width * self.k))
        self.d.line(pts, fill=fill, width=w, joint='curve')
        for x, y in (pts[0], pts[-1]):
            self.d.ellipse([x - w / 2, y - w / 2, x + w / 2, y + w / 2], fill=fill)

    def bend(self, x0, y0, x1, y1, sag, fill, width):
        """A line from one point to another that sags in its middle."""
        t = np.linspace(0, 1, 13)
        self.line(list(zip(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t + 4 * sag * t * (1 - t))), fill, width)

    def box(self, x0, y0, x1, y1, radius, fill):
        self.d.rounded_rectangle(sum(self.at([(x0, y0), (x1, y1)]), ()), radius * self.k, fill=fill)
