from pathlib import Path

import pytest

from anomagent.benchmark.annotations import AnnotationSet, BadEntry, ImageAnnotations
from anomagent.cli.sides import only_part
from anomagent.errors import UsageError
from tests.cli.scored import write

BOTH = AnnotationSet(
    "p.json",
    {key: ImageAnnotations(key) for key in ("x/a.png", "b.png")},
    tuple(BadEntry("p.json", key, 0, "no name") for key in ("x/a.png", "b.png")),
)


def split() -> Path:
    return Path(write("split.json", {"train": ["b.png"], "test": ["a.png", "gone.png"]}))


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_part_knows_its_names_also_those_that_the_file_lacks() -> None:
    part = only_part(BOTH, split(), "test")
    assert ([*part.images], [bad.image for bad in part.bad]) == (["x/a.png"], ["x/a.png"])
    assert part.part == {"a.png", "gone.png"}


def test_without_a_split_everything_stays() -> None:
    assert only_part(BOTH, None, "test") is BOTH
    assert BOTH.part is None


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(UsageError, match="has no part 'val'; choose one of train, test with --part"):
        only_part(BOTH, split(), "val")
