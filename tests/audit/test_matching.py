from pathlib import Path

import pytest

from anomagent.audit.audit import audit
from anomagent.audit.found import FoundImage, GeneratorImages
from anomagent.audit.layouts import read_layout
from anomagent.audit.matching import match_generator, match_layout
from anomagent.errors import UsageError
from tests.audit.builders import annotations, draw, write_json


def images_of(generator: str, prompts: dict[str, str | None]) -> GeneratorImages:
    images = tuple(FoundImage(Path("/data") / key, prompt, key) for key, prompt in prompts.items())
    return GeneratorImages(generator, "folder", images)


FOUND = [images_of("A", {"a/1.png": "cat", "a/x.png": None}), images_of("B", {"b/1.png": "cat", "b/2.png": "dog"})]


def test_results_go_to_the_generator_of_their_image():
    # by key, by path, by base name; b/2.png has no result; other.png is no image of the layout
    found = annotations({"a/1.png": [0], "/data/b/1.png": [50, 50], "somewhere/x.png": [], "other.png": [0]})
    matched = match_layout(found, FOUND)
    results = {
        each.name: {key: len(image.anomalies) for key, image in each.annotations.images.items()}
        for each in matched.generators
    }
    assert results == {"A": {"a/1.png": 1, "a/x.png": 0}, "B": {"b/1.png": 2}}
    assert matched.generators[1].prompts == {"b/1.png": "cat", "b/2.png": "dog"}
    assert (matched.without_result, matched.unknown) == ({"A": (), "B": ("b/2.png",)}, ("other.png",))


def test_bad_entries_and_failures_follow_their_image():
    found = annotations({}, failed=["2.png", "x.png"], bad=["x.png", "elsewhere.png"])
    a, b = audit(match_layout(found, FOUND).generators)["generators"]
    assert (a["generator"], a["images"], a["failures"], a["bad_entries"]) == ("A", 0, 1, 1)
    assert (b["generator"], b["images"], b["failures"], b["bad_entries"]) == ("B", 0, 1, 0)
    assert match_layout(found, FOUND).unknown == ("elsewhere.png",)


def test_results_of_one_generator_keep_their_keys():
    found = annotations({"2.png": [], "x.png": [], "a/1.png": [], "unknown.png": []})
    matched = match_generator("C", found, FOUND)
    assert matched.generators[0].annotations is found
    assert matched.generators[0].prompts == {"2.png": "dog", "a/1.png": "cat"}
    assert (matched.without_result, matched.unknown) == ({"C": ("b/1.png",)}, ("unknown.png",))


@pytest.mark.parametrize(
    ("name", "said", "without", "unknown"),
    [
        # B is in the layout: its 1.png is meant, whatever A has, and what A has is not B's.
        ("B", {"1.png": [0], "x.png": [0]}, ("b/2.png",), ("x.png",)),
        # C is not: the images of A alone are spoken of.
        ("C", {"a/1.png": [0]}, ("a/x.png",), ()),
        ("C", {"other.png": [0]}, ("a/1.png", "a/x.png", "b/1.png", "b/2.png"), ("other.png",)),
    ],
)
def test_coverage_of_one_generator(name: str, said: dict[str, list[int]], without: tuple[str], unknown: tuple[str]):
    matched = match_generator(name, annotations(said), FOUND)
    assert (matched.without_result, matched.unknown) == ({name: without}, unknown)


def test_a_base_name_of_two_images_is_refused():
    with pytest.raises(UsageError, match=r"'1\.png' could be 'a/1\.png' or 'b/1\.png'"):
        match_layout(annotations({"1.png": []}), FOUND)


def test_two_results_of_one_image_are_refused():
    with pytest.raises(UsageError, match=r"'b/2\.png' and 'old/2\.png' are one image"):
        match_layout(annotations({"b/2.png": [], "old/2.png": []}), FOUND)


def test_layouts_that_share_a_key_are_refused():
    with pytest.raises(UsageError, match="of two layouts"):
        match_layout(annotations({}), [images_of("A", {"1.png": None}), images_of("B", {"1.png": None})])


def test_from_folders_and_predictions_to_a_paired_audit(tmp_path: Path):
    draw(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/2.png")
    write_json(tmp_path / "prompts.json", [{"prompt_id": 1, "Prompt": "cat"}, {"prompt_id": 2, "Prompt": "dog"}])
    found = annotations({"a/1.png": [0], "a/2.png": [], "b/1.png": [50], "b/2.png": []})
    result = audit(match_layout(found, read_layout(tmp_path)).generators)
    # CAP of a: 1 and 0; of b: 0.5 and 0
    assert [(entry["generator"], entry["cap_mean"]) for entry in result["generators"]] == [("b", 0.25), ("a", 0.5)]
    assert result["paired"]["pairs"][0]["difference"] == -0.25
