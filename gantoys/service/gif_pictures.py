"""The pictures of a film as images: in the plane and on the line, in flat colours of one palette."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gantoys.runs.film import Film
from gantoys.runs.span import span

Array = np.ndarray
Colour = tuple[int, int, int]
FINE = 3  # pictures are drawn so many times as large and then made smaller: smooth edges
FIELD, STRENGTH = 16, 0.42  # colours of D's surface on each side of 1/2, and how strong the strongest is
BLENDS = 2  # steps between a dot's colour and the surface under its edge
AREA, GAP = 0.16, 0.22  # strength of the ground under a density, and of the gap between D and D*
TICKS = 200  # generated points on the line drawn as ticks
HEADROOM = 1.7  # height of the density axis, in heights of p_data: a narrower p_G is cut at the top


@dataclass(frozen=True)
class Look:
    """The colours of the roles on one ground: those of the stage (`gantoys/stage/stage.js`) and the theme."""

    ground: Colour
    text: Colour
    real: Colour
    fake: Colour
    disc: Colour

    @property
    def theory(self) -> Colour:
        """Dashed lines, and words that are not about one role."""
        return mixed(self.ground, self.text, 0.7)

    @property
    def faint(self) -> Colour:
        """Lines that only divide."""
        return mixed(self.ground, self.text, 0.22)


LOOKS = {
    "light": Look((255, 255, 255), (27, 36, 48), (0, 114, 178), (213, 94, 0), (0, 158, 115)),
    "dark": Look((15, 20, 26), (230, 234, 239), (86, 180, 233), (255, 138, 61), (44, 211, 160)),
}


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """The colour that is `share` of the way from a to b."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


class Painter:
    """What both kinds of picture share: the sheet, the line of words under it, the palette."""

    high: float  # height of the picture in widths, without the line of words

    def __init__(self, film: Film, size: int, look: Look) -> None:
        self.film, self.look, self.size = film, look, size
        self.unit = size * FINE / 480  # a pixel of a picture 480 wide, on the sheet
        self.foot = round(size * 0.075)
        self.small = ImageFont.load_default(12 * self.unit)
        self.font = ImageFont.load_default(16 * self.unit)
        self.height = round(size * self.high)
        self.palette = np.array(list(dict.fromkeys(self.colours())), np.int32)
        self.known = np.full(2**24, -1, np.int16)  # the nearest colour of the palette, where it has been asked for

    def colours(self) -> list[Colour]:
        """Every colour of the picture, at most 256."""
        look = self.look
        inks = (look.text, look.theory, look.real, look.fake, look.disc)
        return [look.ground, look.faint, *(mixed(look.ground, ink, s) for ink in inks for s in (1.0, 0.75, 0.5, 0.25))]

    def pictures(self, frames: list[int]) -> Iterator[Image.Image]:
        """The film's frames of these indices, one after the other, in mode P with one palette."""
        for k in frames:
            sheet = Image.new("RGB", (self.size * FINE, (self.height + self.foot) * FINE), self.look.ground)
            self.paint(sheet, ImageDraw.Draw(sheet), k)
            self.words(ImageDraw.Draw(sheet), k)
            yield self.flat(sheet.reduce(FINE))

    def flat(self, picture: Image.Image) -> Image.Image:
        """The picture in the palette's colours. Pillow's own search is not exact: it would tint the ground."""
        rgb = np.asarray(picture).astype(np.int32)
        mark = (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
        new = np.unique(mark[self.known[mark] < 0])
        parts = np.stack([new >> 16, (new >> 8) & 255, new & 255], 1)
        distance = np.sum((parts[:, None] - self.palette) ** 2, axis=2)
        self.known[new] = np.argmin(distance, axis=1) if len(new) else 0
        out = Image.frombytes("P", picture.size, self.known[mark].astype(np.uint8).tobytes())
        out.putpalette(self.palette.astype(np.uint8).tobytes())
        return out

    def paint(self, sheet: Image.Image, pen: ImageDraw.ImageDraw, k: int) -> None:
        raise NotImplementedError

    def words(self, pen: ImageDraw.ImageDraw, k: int) -> None:
        """The step, and the names of the roles in their colours."""
        look, y, right = self.look, (self.height + 0.5 * self.foot) * FINE, (self.size - 8) * FINE
        pen.text((8 * FINE, y), f"step {self.film.step[k]:,}", look.text, self.font, anchor="lm")
        for name, colour in reversed(self.names()):
            pen.text((right, y), name, colour, self.font, anchor="rm")
            right -= int(pen.textlength(name, self.font) + 14 * self.unit)

    def names(self) -> list[tuple[str, Colour]]:
        return [("real", self.look.real), ("generated", self.look.fake)]


class Plane(Painter):
    def __init__(self, film: Film, size: int, look: Look) -> None:
        wide, high = np.ptp(film.grid_x), np.ptp(film.grid_y)
        self.high = float(np.clip(high / wide, 0.3, 2.0))
        super().__init__(film, size, look)
        self.surface = film.surface
        share = np.linspace(-1, 1, 2 * FIELD + 1)
        self.table = np.array([self.field(s) for s in share], np.uint8)

    def field(self, share: float) -> Colour:
        """The ground's colour where D = 1/2 + share / 2."""
        return mixed(self.look.ground, self.look.real if share > 0 else self.look.fake, STRENGTH * abs(share))

    def colours(self) -> list[Colour]:
        shares = np.linspace(-1, 1, 2 * FIELD + 1)
        dots = [
            mixed(self.field(s), dot, (i + 1) / (BLENDS + 1))
            for s in np.linspace(-1, 1, 13)
            for dot in (self.look.real, self.look.fake)
            for i in range(BLENDS)
        ]
        return [*super().colours(), *(self.field(s) for s in shares), *dots]

    def place(self, points: Array) -> Array:
        """Points (n, 2) in the plane as places on the sheet; the grid's outer cells end at its edges."""
        out = np.empty(points.shape)
        for i, (grid, length) in enumerate(((self.film.grid_x, self.size), (self.film.grid_y, self.height))):
            cell = (grid[-1] - grid[0]) / (len(grid) - 1)
            out[:, i] = (points[:, i].astype(float) - (grid[0] - cell / 2)) / (cell * len(grid)) * length * FINE
        out[:, 1] = self.height * FINE - out[:, 1]
        return out

    def paint(self, sheet: Image.Image, pen: ImageDraw.ImageDraw, k: int) -> None:
        surface = Image.fromarray(self.surface[k, ::-1])
        area = (self.size, self.height)
        # never beyond 0 and 1: no overshoot of a smoother filter
        fine = np.asarray(surface.resize(area, Image.Resampling.BILINEAR), float)
        codes = np.rint(np.clip(fine, 0, 1) * 2 * FIELD).astype(np.intp)
        field = Image.fromarray(self.table[codes]).resize((area[0] * FINE, area[1] * FINE), Image.Resampling.NEAREST)
        sheet.paste(field, (0, 0))
        self.dots(pen, self.film.real, self.look.real, 1.7)
        self.dots(pen, self.film.samples[k], self.look.fake, 2.1)
        pen.rectangle((0, self.height * FINE, *sheet.size), self.look.ground)

    def dots(self, pen: ImageDraw.ImageDraw, points: Array, colour: Colour, radius: float) -> None:
        r = radius * self.unit
        for x, y in self.place(points):
            pen.ellipse((x - r, y - r, x + r, y + r), colour)


class Line(Painter):
    high = 0.75

    def __init__(self, film: Film, size: int, look: Look) -> None:
        super().__init__(film, size, look)
        self.told = film.tells
        self.surface, self.best = film.surface, film.best
        self.low, high = span((film,))
        self.wide = high - self.low
        self.x = self.across(film.grid_x)
        # the lower edge and the height of the two panels
        self.upper = 0.52 * self.height * FINE, 0.5 * self.height * FINE / (HEADROOM * float(film.density_real.max()))
        self.lower = 0.97 * self.height * FINE, 0.36 * self.height * FINE

    def colours(self) -> list[Colour]:
        look = self.look
        real, fake = mixed(look.ground, look.real, AREA), mixed(look.ground, look.fake, AREA)
        gap = mixed(look.ground, look.disc, GAP)
        areas = [real, fake, mixed(real, look.fake, AREA), gap]
        edges = [mixed(area, ink, 0.5) for area in areas for ink in (look.real, look.fake, look.disc, look.theory)]
        return [*super().colours(), *areas, *edges]

    def names(self) -> list[tuple[str, Colour]]:
        told = [("D", self.look.disc), ("D*", self.look.theory)] if self.told else [("critic", self.look.disc)]
        return super().names() + told

    def across(self, x: Array) -> Array:
        return (x.astype(float) - self.low) / self.wide * self.size * FINE

    def paint(self, sheet: Image.Image, pen: ImageDraw.ImageDraw, k: int) -> None:
        film, look = self.film, self.look
        floor, scale = self.upper
        for density, colour in ((film.density_real, look.real), (film.density[k], look.fake)):
            heights = np.maximum(floor - scale * density.astype(float), -9.0)
            self.area(sheet, heights, np.full_like(heights, floor), colour, AREA)
        for density, colour in ((film.density_real, look.real), (film.density[k], look.fake)):
            self.curve(pen, np.maximum(floor - scale * density.astype(float), -9.0), colour)
        pen.line((0, floor, sheet.width, floor), look.theory, round(self.unit))
        for x in self.across(film.samples[k, :TICKS, 0]):
            pen.line((x, floor + 4 * self.unit, x, floor + 14 * self.unit), look.fake, round(self.unit))
        base, scale = self.lower
        for level in (0.0, 0.5, 1.0):
            y = base - level * scale
            pen.line((0, y, sheet.width, y), look.faint, round(self.unit))
            pen.text((6 * self.unit, y - 2 * self.unit), f"{level:g}", look.theory, self.small, anchor="ls")
        trained, best = base - scale * self.surface[k].astype(float), base - scale * self.best[k]
        if self.told:
            self.area(sheet, trained, best, look.disc, GAP)
            self.curve(pen, best, look.theory, dash=7 * self.unit)
        self.curve(pen, trained, look.disc)

    def area(self, sheet: Image.Image, y: Array, base: Array, colour: Colour, opacity: float) -> None:
        """The ground between two curves; nothing where one of them is NaN."""
        mask = Image.new("L", sheet.size)
        pen = ImageDraw.Draw(mask)
        for run in _runs(np.isfinite(y) & np.isfinite(base)):
            there, back = np.stack([self.x[run], y[run]], 1), np.stack([self.x[run], base[run]], 1)[::-1]
            pen.polygon([*map(tuple, there), *map(tuple, back)], round(255 * opacity))
        sheet.paste(colour, (0, 0), mask)

    def curve(self, pen: ImageDraw.ImageDraw, y: Array, colour: Colour, dash: float = 0.0) -> None:
        """A line with breaks at NaN, whole or in dashes of that length."""
        width = round(2.2 * self.unit)
        for run in _runs(np.isfinite(y)):
            x, heights = self.x[run], y[run]
            if not dash:
                pen.line([*zip(x, heights, strict=True)], colour, width, joint="curve")
                continue
            along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(heights)))])
            for start in np.arange(0, along[-1], 1.8 * dash):
                at = np.linspace(start, min(start + dash, along[-1]), 5)
                ends = zip(np.interp(at, along, x), np.interp(at, along, heights), strict=True)
                pen.line([*ends], colour, width)


def _runs(whole: Array) -> list[slice]:
    """The stretches of at least two True in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], whole.astype(np.int8), [0]])))
    return [slice(a, b) for a, b in edges.reshape(-1, 2) if b - a > 1]
