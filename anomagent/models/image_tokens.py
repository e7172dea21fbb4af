"""How many tokens an image costs, by the rules that providers document.

Providers change these rules without notice, and what a server really counted is in its answers: the estimate prefers
a workspace's own history wherever there is one. The documents were read in November 2026 unless a rule says otherwise.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from anomagent.models import imaging

Rule = Callable[[int, int], int]
"""From width and height in pixels, as they are sent, to tokens."""

_Named = tuple[str, Rule]

_EMBEDDED = Path(imaging.__file__).with_name("embedded_weights") / "preprocessor_config.json"
_MOST_PATCHES = 1536
_LONGEST_TO_SHORTEST = 200
"""Qwen's processor refuses narrower images."""


@dataclass(frozen=True)
class ImageTokens:
    """The tokens of one image, and the rule that says so."""

    tokens: int | None
    """None: no rule is known for the model."""
    rule: str
    """The rule in words, or why there is none."""


def image_tokens(model_id: str, width: int, height: int) -> ImageTokens:
    """What an image of `width` x `height` pixels, as it is sent, costs with `model_id`.

    That is `provider:model`, or a client's identity, where `@` and the server's address may follow.
    """
    if model_id == "embedded":
        return ImageTokens(_embedded_rule()(width, height), "28-pixel cells, the embedded model's bounds")
    if model_id.startswith("fake:"):
        return ImageTokens(0, "a scripted model counts no image")
    name = _plain(model_id)
    for pattern, (words, rule) in _RULES:
        if re.match(pattern, name):
            if words.startswith("Qwen") and max(width, height) > _LONGEST_TO_SHORTEST * min(width, height):
                return ImageTokens(None, f"Qwen takes no image of {width} x {height} pixels: too narrow")
            return ImageTokens(rule(width, height), words)
    return ImageTokens(None, f"no documented rule for images is known for {model_id}")


def scaled_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """The size that is sent where at most `max_pixels` are allowed; the arithmetic of `imaging.load_rgb`."""
    if width * height <= max_pixels:
        return width, height
    ratio = math.sqrt(max_pixels / (width * height))
    width, height = max(1, math.floor(width * ratio)), max(1, math.floor(height * ratio))
    width = max(1, min(width, max_pixels // height))
    return width, min(height, max_pixels // width)


def openai_tiles(width: int, height: int, *, base: int, tile: int) -> int:
    """OpenAI's rule of tiles, high detail: fit into 2048 x 2048, shortest side to 768, count tiles of 512 pixels.

    Source: OpenAI, guide "Images and vision", section "Calculating costs". Images are never enlarged. Sides are rounded
    to the nearest pixel, which is what bills show (OpenAI's forum: 2049 x 513 is two rows of tiles, 2050 x 513 is one).
    """
    fit = min(1.0, 2048 / max(width, height))
    wide, high = width * fit, height * fit
    fit = min(1.0, 768 / min(wide, high))
    columns, rows = (math.ceil(max(1, round(side * fit)) / 512) for side in (wide, high))
    return base + tile * columns * rows


def openai_patches(width: int, height: int, *, multiplier: float) -> int:
    """OpenAI's rule of patches: 32-pixel squares, scaled down to at most 1536 of them, times the model's multiplier.

    Source: OpenAI, guide "Images and vision", section "Calculating costs"; its example: 1800 x 2400 is 1452 patches.
    """
    patches = math.ceil(width / 32) * math.ceil(height / 32)
    if patches > _MOST_PATCHES:
        shrink = math.sqrt(_MOST_PATCHES * 32**2 / (width * height))
        columns, rows = width * shrink / 32, height * shrink / 32
        # A second time, so that one side is a whole number of patches and the other is rounded down into the limit.
        shrink *= min(max(1, math.floor(columns)) / columns, max(1, math.floor(rows)) / rows)
        columns, rows = width * shrink / 32, height * shrink / 32
        patches = min(_MOST_PATCHES, math.ceil(columns - 1e-6) * math.ceil(rows - 1e-6))
    return math.ceil(patches * multiplier)


def qwen_cells(width: int, height: int, *, cell: int, least: int, most: int) -> int:
    """Qwen-VL's rule: both sides to the nearest multiple of `cell`, within `least` to `most` pixels, a token a cell.

    Source: the image processor of Qwen2-VL (`smart_resize`) and each model's preprocessor_config.json: cells of 28
    pixels (patch 14, merge 2) for Qwen2-VL and Qwen2.5-VL, of 32 (patch 16, merge 2) for Qwen3-VL.
    """
    columns, rows = max(1, round(width / cell)), max(1, round(height / cell))
    if columns * rows * cell**2 > most:
        shrink = math.sqrt(width * height / most)
        columns, rows = (max(1, math.floor(side / shrink / cell)) for side in (width, height))
    elif columns * rows * cell**2 < least:
        grow = math.sqrt(least / (width * height))
        columns, rows = (math.ceil(side * grow / cell) for side in (width, height))
    return columns * rows


def claude_pixels(width: int, height: int) -> int:
    """Anthropic's rule: width x height / 750, after scaling to a long edge of 1568 pixels and about 1600 tokens.

    Source: Anthropic, guide "Vision", for Claude 3 to 4.5. Later models take larger images and are not covered.
    """
    fit = min(1.0, 1568 / max(width, height), math.sqrt(1600 * 750 / (width * height)))
    return max(1, math.ceil(width * fit * height * fit / 750 - 1e-6))


def gemini_tiles(width: int, height: int) -> int:
    """Google's rule for Gemini 2: 258 tokens up to 384 x 384 pixels, else 258 for each tile of 768 x 768.

    Source: Google, "Understand and count tokens". How images are cropped into tiles is documented only roughly, so
    this is on the high side for large ones.
    """
    if max(width, height) <= 384:
        return 258
    return 258 * math.ceil(width / 768) * math.ceil(height / 768)


def _plain(model_id: str) -> str:
    """`openai:Qwen/Qwen2.5-VL-7B` -> `qwen25vl7b`: owners, dots and dashes are written in many ways."""
    name = re.sub("@https?://.*", "", model_id.partition(":")[2] or model_id)
    name = name.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^a-z0-9]", "", name.lower())


@cache
def _embedded_rule() -> Rule:
    size = json.loads(_EMBEDDED.read_text(encoding="utf-8"))["size"]
    return partial(qwen_cells, cell=28, least=size["shortest_edge"], most=size["longest_edge"])


def _tiles(base: int, tile: int) -> _Named:
    return f"OpenAI tiles, {base} + {tile} a tile", partial(openai_tiles, base=base, tile=tile)


def _patches(multiplier: float) -> _Named:
    return f"OpenAI patches x {multiplier}", partial(openai_patches, multiplier=multiplier)


_DATE = r"(\d{8}|latest)?$"
_QWEN_28: _Named = ("Qwen cells of 28 pixels", partial(qwen_cells, cell=28, least=4 * 28**2, most=16_384 * 28**2))
_QWEN_32: _Named = ("Qwen cells of 32 pixels", partial(qwen_cells, cell=32, least=64 * 32**2, most=16_384 * 32**2))

_RULES: tuple[tuple[str, _Named], ...] = (
    (r"gpt4omini", _tiles(2833, 5667)),
    (rf"(chat)?gpt4o{_DATE}", _tiles(85, 170)),
    (r"gpt41mini", _patches(1.62)),
    (r"gpt41nano", _patches(2.46)),
    (rf"gpt4(1|5preview){_DATE}", _tiles(85, 170)),
    (rf"gpt5mini{_DATE}", _patches(1.62)),
    (rf"gpt5nano{_DATE}", _patches(2.46)),
    (rf"gpt5(chat)?{_DATE}", _tiles(70, 140)),
    (rf"o4mini{_DATE}", _patches(1.72)),
    (rf"o[13](pro)?{_DATE}", _tiles(75, 150)),
    (r"(qwen25?vl|qvq)(?!max|plus)", _QWEN_28),
    (r"qwen3vl(?!plus|flash)", _QWEN_32),
    (r"claude(3|(opus|sonnet|haiku)4[015]?" + _DATE + ")", ("Claude, pixels / 750", claude_pixels)),
    (r"gemini(1|2)", ("Gemini tiles of 768 pixels, 258 each", gemini_tiles)),
)
"""First match wins. The mini and nano multipliers are the documented ones; bills of gpt-5-mini were seen below them."""
