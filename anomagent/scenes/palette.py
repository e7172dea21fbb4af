"""The colours of rendered scenes: one small fixed palette, shared by the renderer and the recogniser."""

from __future__ import annotations

from typing import Final, NamedTuple

RGB = tuple[int, int, int]


class Backdrop(NamedTuple):
    """Two flat colours that meet at the horizon: wall and floor, or sky and ground."""

    upper: RGB
    lower: RGB


COLOURS: Final[dict[str, RGB]] = {
    "red": (214, 40, 40),
    "blue": (38, 84, 214),
    "green": (34, 140, 56),
    "yellow": (245, 205, 40),
    "orange": (240, 124, 25),
    "purple": (136, 50, 178),
    "white": (248, 248, 248),
    "black": (46, 46, 50),
    "brown": (118, 70, 34),
    "pink": (245, 130, 180),
}

BACKDROPS: Final[dict[str, tuple[Backdrop, ...]]] = {
    "indoor": (
        Backdrop((236, 222, 192), (176, 138, 100)),
        Backdrop((196, 222, 240), (132, 146, 176)),
        Backdrop((204, 232, 198), (190, 166, 130)),
        Backdrop((242, 208, 200), (166, 138, 124)),
        Backdrop((222, 204, 242), (178, 156, 128)),
        Backdrop((240, 230, 184), (128, 148, 172)),
    ),
    "outdoor": (
        Backdrop((150, 205, 250), (140, 196, 104)),
        Backdrop((178, 220, 246), (160, 190, 110)),
        Backdrop((190, 214, 236), (196, 188, 150)),
        Backdrop((164, 212, 236), (150, 186, 126)),
        Backdrop((204, 220, 242), (174, 192, 140)),
    ),
}
"""None is close to grey, so that no greyscale image can be taken for a scene."""

INK: Final[RGB] = (18, 18, 22)
METAL: Final[RGB] = (70, 70, 74)
CORD: Final[RGB] = (30, 30, 34)
SOCKET: Final[RGB] = (250, 250, 250)
HALO: Final[RGB] = (255, 246, 176)
LIGHT: Final[RGB] = (255, 232, 80)
GLASS: Final[RGB] = (190, 225, 245)
TYRE: Final[RGB] = (24, 24, 28)
HUB: Final[RGB] = (206, 206, 210)
FACE: Final[RGB] = (250, 250, 248)
TICK: Final[RGB] = (110, 110, 114)
BARK: Final[RGB] = (104, 66, 34)
STEM: Final[RGB] = (40, 130, 58)
LEAF: Final[RGB] = (62, 172, 74)
TROUSERS: Final[RGB] = (52, 58, 96)
CREAM: Final[RGB] = (250, 240, 214)
SUN: Final[RGB] = (255, 226, 70)
PANE: Final[RGB] = (150, 205, 250)
SKINS: Final[tuple[RGB, ...]] = ((242, 204, 170), (206, 154, 112), (134, 88, 58))
HAIRS: Final[tuple[RGB, ...]] = ((40, 28, 20), (120, 80, 30), (210, 170, 70), (96, 96, 100))

SHADOW_SHADE: Final = 0.55
SKIRTING_SHADE: Final = 0.8
DARK_SHADE: Final = 0.64


def shaded(colour: RGB, factor: float) -> RGB:
    """The colour with every channel multiplied by `factor` (0 black, 1 unchanged)."""
    red, green, blue = (min(255, round(channel * factor)) for channel in colour)
    return red, green, blue


def darker(name: str) -> RGB:
    """The darker companion of a named colour; black's companion is lighter, or it could not be told apart."""
    return (78, 78, 84) if name == "black" else shaded(COLOURS[name], DARK_SHADE)
