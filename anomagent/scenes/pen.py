"""A pen that draws one object in the object's own coordinates."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import ImageDraw

from anomagent.scenes.palette import INK, RGB

Point = tuple[float, float]
_OUTLINE = 0.9


class Pen:
    """Draws around an object's foot: x to the object's front, y up, in canvas units at scale 1.

    `pixels` is the number of pixels per canvas unit. With `height` given the drawing is turned upside down within it.
    Every part has a dark outline, so that neighbouring parts of one colour can still be counted.
    """

    def __init__(
        self,
        canvas: ImageDraw.ImageDraw,
        foot: Point,
        *,
        pixels: float,
        scale: float = 1.0,
        facing: int = 1,
        height: float | None = None,
    ) -> None:
        self._canvas = canvas
        self._foot = (foot[0] * pixels, foot[1] * pixels)
        self._unit = pixels * scale
        self._facing = facing
        self._height = height
        self._edge = _OUTLINE * pixels

    def polygon(self, points: Sequence[Point], colour: RGB) -> None:
        """A filled shape."""
        placed = [self._at(x, y) for x, y in points]
        self._canvas.polygon(placed, fill=colour)
        self._canvas.line([*placed, placed[0], placed[1]], fill=INK, width=max(1, round(self._edge)), joint="curve")

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, colour: RGB) -> None:
        """A filled rectangle between two corners."""
        self._canvas.rectangle(self._bounds(x0, y0, x1, y1), fill=colour, outline=INK, width=max(1, round(self._edge)))

    def oval(self, x: float, y: float, rx: float, ry: float, colour: RGB, *, outline: bool = True) -> None:
        """A filled ellipse around (x, y)."""
        edge = max(1, round(self._edge)) if outline else 0
        self._canvas.ellipse(self._bounds(x - rx, y - ry, x + rx, y + ry), fill=colour, outline=INK, width=edge)

    def ring(self, x: float, y: float, radius: float, width: float, colour: RGB) -> None:
        """An outlined ring around (x, y), `width` thick inside `radius`."""
        edge = self._edge / self._unit
        for inset, thick, paint in ((0.0, width, INK), (edge, width - 2 * edge, colour)):
            reach = radius - inset
            bounds = self._bounds(x - reach, y - reach, x + reach, y + reach)
            self._canvas.ellipse(bounds, outline=paint, width=max(1, round(thick * self._unit)))

    def limb(self, points: Sequence[Point], colour: RGB, width: float, *, outline: bool = True) -> None:
        """A thick bent line with round ends."""
        placed = [self._at(x, y) for x, y in points]
        thick = width * self._unit
        if outline:
            self._stroke(placed, INK, thick + 2 * self._edge)
        self._stroke(placed, colour, thick)

    def _stroke(self, placed: Sequence[Point], colour: RGB, thick: float) -> None:
        self._canvas.line(placed, fill=colour, width=max(1, round(thick)), joint="curve")
        reach = thick / 2
        for x, y in (placed[0], placed[-1]):
            self._canvas.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)

    def _at(self, x: float, y: float) -> Point:
        if self._height is not None:
            y = self._height - y
        return self._foot[0] + x * self._unit * self._facing, self._foot[1] - y * self._unit

    def _bounds(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        (ax, ay), (bx, by) = self._at(x0, y0), self._at(x1, y1)
        return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)
