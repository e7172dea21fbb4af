"""Which file is the picture of which image: the right one, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.errors import UsageError
from anomagent.report.pictures import images_below, no_pictures, pictures_by_generator, pictures_in
from tests.audit.builders import draw


def files(*names: str) -> dict[str, Path]:
    return {name: Path("/pictures") / name for name in names}


@pytest.mark.parametrize(
    ("name", "among", "found"),
    [
        ("1.png", ["deep/1.png"], "deep/1.png"),
        ("any/1.png", ["1.png"], "1.png"),
        ("any/1.png", ["flux/2.png"], None),
        ("flux/1.png", ["flux/1.png", "sana/1.png"], "flux/1.png"),
        (r"C:\data\flux\1.png", ["flux/1.png", "sana/1.png"], "flux/1.png"),
        ("./data/flux/1.png", ["x/flux/1.png", "flux/sana/1.png", "1.png"], "x/flux/1.png"),
        ("1.png", ["flux/1.png", "sana/1.png"], None),
        ("1.png", ["1.png", "sana/1.png"], None),
        ("other/1.png", ["flux/1.png", "sana/1.png"], None),
        ("flux/1.png", ["flux/1.png", "old/flux/1.png"], "flux/1.png"),
        ("u\u0308.png", ["\u00fc.png"], "\u00fc.png"),
    ],
)
def test_longest_end_of_the_path_decides(name: str, among: list[str], found: str | None) -> None:
    assert pictures_in(files(*among)).path_of(name) == (Path("/pictures") / found if found else None)


def test_folders_that_files_name_decide_for_base_names() -> None:
    find = pictures_in(files("flux/1.png", "sana/1.png"))

    assert find.path_of("1.png") is None
    assert find.called(["1.png"]).path_of("1.png") is None
    assert find.called(["sana/1.png", "1.png"]).path_of("1.png") == Path("/pictures/sana/1.png")


def test_generators_that_call_images_alike_get_no_others_picture() -> None:
    find = pictures_in(files("flux/1.png", "2.png", "3.png", "deep/sana/4.png"))
    path_of = pictures_by_generator(
        find, {"flux": ["1.png", "2.png"], "sana": ["1.png", "2.png", "3.png", "4.png"], "sdxl": ["4.png"]}
    )

    assert path_of("flux", "1.png") == Path("/pictures/flux/1.png")
    assert path_of("sana", "1.png") is None  # flux/1.png is another's
    assert path_of("flux", "2.png") is None  # of either
    assert path_of("sana", "3.png") == Path("/pictures/3.png")
    assert path_of("nobody", "3.png") is None
    assert path_of("sana", "4.png") is None


def test_images_below_are_known_by_their_paths(tmp_path: Path) -> None:
    draw(tmp_path, "a/1.png", "b/1.png", "a/.hidden.png")
    (tmp_path / "a" / "2.JPE").touch()
    (tmp_path / "a" / "notes.txt").touch()

    assert images_below(tmp_path) == {name: tmp_path / name for name in ("a/1.png", "a/2.JPE", "b/1.png")}


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    draw(tmp_path, "secret.png", "in/a.png")
    (tmp_path / "in" / "b.png").symlink_to(tmp_path / "secret.png")

    with pytest.raises(UsageError, match="is a link out of"):
        images_below(tmp_path / "in")


def test_nothing_is_at_hand_without_files() -> None:
    assert no_pictures("a.png") is None
