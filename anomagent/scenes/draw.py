"""Draws a scene as an image."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageDraw

from anomagent.scenes import palette
from anomagent.scenes.layout import SHADOW_REACH
from anomagent.scenes.palette import BACKDROPS, Backdrop, shaded
from anomagent.scenes.pen import Pen
from anomagent.scenes.scene import CANVAS, Scene, SceneObject
from anomagent.scenes.shapes import SHAPES

_SMALL: Final = 256


def draw(scene: Scene, size: int = 504) -> Image.Image:
    """The scene as an RGB image of size x size pixels, smoothed by drawing it larger and averaging."""
    oversampling = 3 if size <= _SMALL else 2
    image = Image.new("RGB", (size * oversampling, size * oversampling))
    canvas = ImageDraw.Draw(image)
    pixels = size * oversampling / CANVAS
    backdrop = BACKDROPS[scene.setting][scene.backdrop]
    _draw_backdrop(canvas, scene, backdrop, pixels)
    for item in scene.objects:
        if item.casts_shadow:
            _draw_shadow(canvas, item, scene.light, backdrop, pixels)
    for item in scene.objects:
        pen = Pen(
            canvas,
            (item.x, item.base - item.lift),
            pixels=pixels,
            scale=item.scale,
            facing=item.facing,
            height=(item.box[3] - item.box[1]) / item.scale if item.has("upside_down") else None,
        )
        SHAPES[item.kind](pen, item)
    return image.reduce(oversampling)


def _draw_backdrop(canvas: ImageDraw.ImageDraw, scene: Scene, backdrop: Backdrop, pixels: float) -> None:
    """Two flat bands, the source of light in the corner it shines from, and the halo of every lit lamp."""
    end, horizon = CANVAS * pixels, scene.horizon * pixels
    canvas.rectangle((0, 0, end, horizon), fill=backdrop.upper)
    canvas.rectangle((0, horizon, end, end), fill=backdrop.lower)
    left = 6.0 if scene.light < 0 else CANVAS - 28.0
    corner = (left * pixels, 5 * pixels, (left + 22) * pixels, 27 * pixels)
    if scene.setting == "outdoor":
        canvas.ellipse(corner, fill=palette.SUN)
        return
    skirting = shaded(backdrop.upper, palette.SKIRTING_SHADE)
    canvas.rectangle((0, horizon - 2 * pixels, end, horizon + pixels), fill=skirting)
    canvas.rectangle(corner, fill=palette.PANE, outline=palette.SOCKET, width=round(2 * pixels))
    for item in scene.objects:
        if item.lit:
            reach, middle = 27 * item.scale, item.base - 74 * item.scale
            halo = (item.x - reach, middle - reach, item.x + reach, middle + reach)
            canvas.ellipse([value * pixels for value in halo], fill=palette.HALO)


def _draw_shadow(canvas: ImageDraw.ImageDraw, item: SceneObject, light: int, backdrop: Backdrop, pixels: float) -> None:
    """An ellipse on the floor that reaches beyond the object on the side away from the light."""
    left, right = item.box[0], item.box[2]
    if item.kind == "lamp":
        left, right = item.x - 14, item.x + 14
    inset = (right - left) * 0.06
    left, right = (left + inset, right + SHADOW_REACH) if light < 0 else (left - SHADOW_REACH, right - inset)
    shadow = (left, item.base - 5, right, item.base + 5)
    canvas.ellipse([value * pixels for value in shadow], fill=shaded(backdrop.lower, palette.SHADOW_SHADE))
