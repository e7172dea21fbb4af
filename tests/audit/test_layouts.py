import os
import unicodedata
from pathlib import Path

import pytest

from anomagent.audit.layouts import read_layout
from anomagent.errors import UsageError
from tests.audit.builders import draw, write_json


def prompts_of(path: Path, **options: object) -> dict[str, dict[str, str | None]]:
    """By generator, the prompts by key."""
    found = read_layout(path, **options)  # type: ignore[arg-type]
    return {each.generator: {image.key: image.prompt for image in each.images} for each in found}


def geneval(root: Path, folder: str, prompt: str, *samples: str) -> None:
    draw(root / folder, "grid.png", *(f"samples/{name}" for name in samples))
    write_json(root / folder / "metadata.jsonl", {"tag": "colors", "prompt": prompt})


def test_a_folder_of_images_is_one_generator(tmp_path: Path):
    draw(tmp_path / "SDXL Turbo", "b.PNG", "a.jpeg", "c.webp")
    (tmp_path / "SDXL Turbo" / "notes.txt").write_text("x")
    draw(tmp_path / "SDXL Turbo", ".thumb.png", ".cache/d.png")
    (found,) = read_layout(tmp_path / "SDXL Turbo")
    assert (found.generator, found.layout, found.ignored, found.without_prompt) == ("SDXL Turbo", "folder", 3, 3)
    assert [image.key for image in found.images] == ["a.jpeg", "b.PNG", "c.webp"]
    assert all(image.path.is_file() for image in found.images)


def test_a_folder_of_folders_is_a_generator_each_and_equal_names_do_not_collide(tmp_path: Path):
    draw(tmp_path, "flux/1.png", "flux/night/1.png", "sana/1.png")
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "empty").mkdir()
    assert prompts_of(tmp_path) == {
        "flux": {"flux/1.png": None, "flux/night/1.png": None},
        "sana": {"sana/1.png": None},
    }


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    draw(tmp_path / "flux", "1.png")
    monkeypatch.chdir(tmp_path / "flux")
    assert prompts_of(Path()) == {"flux": {"1.png": None}}


def test_a_name_makes_one_generator_of_everything(tmp_path: Path):
    draw(tmp_path, "loose.png", "a/1.png", "b/1.png")
    (found,) = read_layout(tmp_path, name="Flux")
    assert (found.generator, [image.key for image in found.images]) == ("Flux", ["a/1.png", "b/1.png", "loose.png"])


def test_geneval(tmp_path: Path):
    geneval(tmp_path / "flux", "00000", "a photo of a bench", "0001.png", "0000.png", "grid.png")
    geneval(tmp_path / "flux", "00001", "a photo of a Kuh – braun", "0000.png")
    (found,) = read_layout(tmp_path / "flux")
    assert (found.generator, found.layout, found.ignored) == ("flux", "geneval", 5)  # three grids, two metadata files
    assert {image.key: image.prompt for image in found.images} == {
        "00000/samples/0000.png": "a photo of a bench",
        "00000/samples/0001.png": "a photo of a bench",
        "00001/samples/0000.png": "a photo of a Kuh – braun",
    }


def test_geneval_of_several_generators(tmp_path: Path):
    geneval(tmp_path / "a", "00000", "a cat", "0000.png")
    geneval(tmp_path / "b", "00000", "a cat", "0000.png")
    assert prompts_of(tmp_path) == {
        "a": {"a/00000/samples/0000.png": "a cat"},
        "b": {"b/00000/samples/0000.png": "a cat"},
    }


def test_geneval_without_metadata_in_one_folder_is_refused(tmp_path: Path):
    geneval(tmp_path, "00000", "a cat", "0000.png")
    draw(tmp_path, "00001/samples/0000.png")
    with pytest.raises(UsageError, match=r"00001: has samples and no metadata\.jsonl"):
        read_layout(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"tag": "x"}', '{"prompt": 3}'])
def test_geneval_with_damaged_metadata_is_refused(tmp_path: Path, text: str):
    geneval(tmp_path, "00000", "a cat", "0000.png")
    (tmp_path / "00000" / "metadata.jsonl").write_text(text)
    with pytest.raises(UsageError, match="no GenEval metadata"):
        read_layout(tmp_path)


def test_numbered_folders_without_prompts_are_not_taken_for_generators(tmp_path: Path):
    draw(tmp_path, "00000/0.png", "00001/0.png")
    with pytest.raises(UsageError, match="look like prompts"):
        read_layout(tmp_path)
    assert len(prompts_of(tmp_path, name="flux")["flux"]) == 2


def test_compbench(tmp_path: Path):
    draw(tmp_path / "sana", "samples/a green bench and a blue bowl_000000.png", "samples/a_b, c._000010.png")
    draw(tmp_path / "sana", "a green bench and a blue bowl-grid-00000.png")
    expected = {"a green bench and a blue bowl", "a_b, c."}
    (found,) = read_layout(tmp_path / "sana")
    assert (found.generator, found.layout, found.ignored) == ("sana", "t2i-compbench", 1)
    assert {image.prompt for image in found.images} == expected
    (inside,) = read_layout(tmp_path / "sana" / "samples")
    assert (inside.generator, {image.prompt for image in inside.images}) == ("sana", expected)


def test_compbench_categories_of_one_generator(tmp_path: Path):
    draw(tmp_path, "color/samples/a red cup_000000.png", "shape/samples/a round cup_000000.png")
    assert set(prompts_of(tmp_path, name="sana")["sana"].values()) == {"a red cup", "a round cup"}


@pytest.mark.parametrize("stray", ["samples/cover.png", "other/cover.png", "cover.png"])
def test_images_that_do_not_fit_a_layout_are_not_guessed_at(tmp_path: Path, stray: str):
    draw(tmp_path, "samples/a cup_000000.png", stray)
    with pytest.raises(UsageError, match=r"t2i-compbench .* but '.*cover\.png' does not fit"):
        read_layout(tmp_path)


def test_a_folder_called_samples_may_hold_anything(tmp_path: Path):
    draw(tmp_path, "x/samples/cat.png", "y/samples/dog.png")
    assert prompts_of(tmp_path) == {"x": {"x/samples/cat.png": None}, "y": {"y/samples/dog.png": None}}


def test_only_the_given_folder_is_called_after_its_parent(tmp_path: Path):
    draw(tmp_path / "sana", "samples/cat.png", "more/cat.png")
    assert set(prompts_of(tmp_path / "sana")) == {"samples", "more"}
    assert set(prompts_of(tmp_path / "sana" / "samples")) == {"sana"}


def test_wise_with_its_lists_beside(tmp_path: Path):
    draw(tmp_path / "bagel", "1.png", "2.png", "401.png", "999.png")
    write_json(tmp_path / "bagel" / "cultural.json", [{"prompt_id": 1, "Prompt": "A"}, {"prompt_id": 2, "Prompt": "B"}])
    write_json(tmp_path / "bagel" / "science.json", [{"Prompt": "C", "Explanation": "x", "prompt_id": 401}])
    write_json(tmp_path / "bagel" / "Results" / "scores.json", [{"prompt_id": 1, "prompt": "not looked at"}])
    (found,) = read_layout(tmp_path / "bagel")
    assert (found.generator, found.layout, found.without_prompt) == ("bagel", "wise", 1)
    prompts = {image.key: image.prompt for image in found.images}
    assert prompts == {"1.png": "A", "2.png": "B", "401.png": "C", "999.png": None}


@pytest.mark.parametrize("place", ["wise.json", "models/wise.json", "models/bagel/wise.json"])
def test_lists_of_prompts_are_found_beside_and_above(tmp_path: Path, place: str):
    draw(tmp_path, "models/bagel/1.png", "models/flux/1.png")
    write_json(tmp_path / place, [{"prompt_id": 1, "Prompt": "A"}])
    prompts = prompts_of(tmp_path / "models")
    assert prompts["bagel"] == {"bagel/1.png": "A"}
    assert prompts["flux"] == {"flux/1.png": None if "bagel" in place else "A"}


def test_a_list_may_be_given(tmp_path: Path):
    draw(tmp_path / "bagel", "1.png")
    given = write_json(tmp_path / "far" / "wise.json", [{"prompt_id": 1, "Prompt": "A"}])
    write_json(tmp_path / "wise.json", [{"prompt_id": 1, "Prompt": "B"}])
    assert prompts_of(tmp_path / "bagel", prompts=given) == {"bagel": {"1.png": "A"}}


def test_a_given_list_that_fits_nothing_is_refused(tmp_path: Path):
    draw(tmp_path / "bagel", "x.png")
    given = write_json(tmp_path / "wise.json", [{"prompt_id": 1, "Prompt": "A"}])
    with pytest.raises(UsageError, match="no image"):
        read_layout(tmp_path / "bagel", prompts=given)


def test_imagereward(tmp_path: Path):
    ids = [{"id": "005695-0057", "prompt": "a vehicle"}, {"id": "odd_1", "prompt": "a cat"}]
    write_json(tmp_path / "benchmark-prompts.json", ids)
    draw(tmp_path, "generations/dalle2/005695-0057_0.png", "generations/dalle2/005695-0057_1.png")
    draw(tmp_path, "generations/sd1-4/005695-0057/0.png", "generations/sd1-4/odd_1/0.png")
    draw(tmp_path, "generations/vd/odd_1_0.png", "generations/vd/odd_1.png")
    found = read_layout(tmp_path / "generations")
    assert {each.generator: each.layout for each in found} == dict.fromkeys(["dalle2", "sd1-4", "vd"], "imagereward")
    assert prompts_of(tmp_path / "generations") == {
        "dalle2": {"dalle2/005695-0057_0.png": "a vehicle", "dalle2/005695-0057_1.png": "a vehicle"},
        "sd1-4": {"sd1-4/005695-0057/0.png": "a vehicle", "sd1-4/odd_1/0.png": "a cat"},
        "vd": {"vd/odd_1.png": "a cat", "vd/odd_1_0.png": "a cat"},
    }


@pytest.mark.parametrize("value", [{"a.png": []}, [{"image": "a.png", "id": 1}], ["x"], []])
def test_other_json_files_beside_the_images_are_left_alone(tmp_path: Path, value: object):
    draw(tmp_path, "1.png")
    write_json(tmp_path / "other.json", value)
    assert read_layout(tmp_path)[0].layout == "folder"


def test_lists_that_contradict_each_other_are_refused(tmp_path: Path):
    draw(tmp_path, "1.png")
    write_json(tmp_path / "a.json", [{"prompt_id": 1, "Prompt": "A"}])
    write_json(tmp_path / "b.json", [{"prompt_id": "1", "Prompt": "B"}])
    with pytest.raises(UsageError, match=r"a\.json, .*b\.json: the id '1' has two different prompts"):
        read_layout(tmp_path)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"1": "A"}, "no JSON list"),
        ([], "no JSON list"),
        ([{"id": 1}], "neither"),
        ([{"id": 1, "prompt": "A"}, {"id": 2}], "no text"),
        ([{"id": True, "prompt": "A"}], "a text or a whole number"),
        ([{"id": 1, "prompt": "A"}, 5], "not an object"),
    ],
)
def test_a_given_list_that_is_none_is_refused(tmp_path: Path, value: object, word: str):
    draw(tmp_path / "x", "1.png")
    with pytest.raises(UsageError, match=word):
        read_layout(tmp_path / "x", prompts=write_json(tmp_path / "list.json", value))


def test_images_and_folders_of_images_side_by_side_are_ambiguous(tmp_path: Path):
    draw(tmp_path, "loose.png", "flux/1.png")
    with pytest.raises(UsageError, match=r"'loose\.png'.*'flux'"):
        read_layout(tmp_path)


def test_a_folder_around_the_generators_is_ambiguous(tmp_path: Path):
    draw(tmp_path, "generations/flux/1.png", "generations/sana/1.png")
    with pytest.raises(UsageError, match=r"one folder \('generations'\) with folders of images"):
        read_layout(tmp_path)
    assert set(prompts_of(tmp_path / "generations")) == {"flux", "sana"}


def test_a_folder_without_images_lists_the_known_layouts(tmp_path: Path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match=r"no images in 1 files; known layouts are geneval: .*manifest: "):
        read_layout(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(UsageError, match=r"gone: cannot be read .No such file"):
        read_layout(tmp_path / "gone")


def test_names_in_any_unicode_form_are_keyed_in_one(tmp_path: Path):
    decomposed = unicodedata.normalize("NFD", "Überraschung_000001.png")
    draw(tmp_path / "modèle", f"samples/{decomposed}")
    (found,) = read_layout(tmp_path / "modèle")
    assert (found.images[0].key, found.images[0].prompt) == ("samples/Überraschung_000001.png", "Überraschung")
    assert found.images[0].path.name == decomposed


def test_two_forms_of_one_name_are_refused(tmp_path: Path):
    draw(tmp_path, *(unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")))
    with pytest.raises(UsageError, match="another Unicode form"):
        read_layout(tmp_path)


def test_a_name_that_is_no_unicode_is_refused(tmp_path: Path):
    draw(tmp_path, "a.png")
    try:
        os.rename(os.fsencode(tmp_path / "a.png"), os.fsencode(tmp_path) + b"/\xff.png")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    with pytest.raises(UsageError, match="not Unicode"):
        read_layout(tmp_path)


def test_links_within_the_folder_are_images_and_links_out_of_it_refused(tmp_path: Path):
    draw(tmp_path, "in/a.png", "out.png")
    (tmp_path / "in" / "b.png").symlink_to("a.png")
    assert list(prompts_of(tmp_path / "in")["in"]) == ["a.png", "b.png"]
    (tmp_path / "in" / "c.png").symlink_to(tmp_path / "out.png")
    with pytest.raises(UsageError, match=r"c\.png: is a link out of"):
        read_layout(tmp_path / "in")


@pytest.mark.parametrize(("target", "word"), [("gone.png", "to no file"), ("deep", "to no file"), ("..", "out of")])
def test_links_to_folders_and_nowhere_are_refused(tmp_path: Path, target: str, word: str):
    draw(tmp_path, "in/a.png", "in/deep/b.png")
    (tmp_path / "in" / "link").symlink_to(target)
    with pytest.raises(UsageError, match=word):
        read_layout(tmp_path / "in", name="x")


def test_folders_too_deep_are_refused(tmp_path: Path):
    draw(tmp_path, "/".join(["d"] * 33) + "/a.png")
    with pytest.raises(UsageError, match="more than 32 folders"):
        read_layout(tmp_path)


def test_a_folder_called_like_an_image_is_a_folder(tmp_path: Path):
    draw(tmp_path, "x.png/a.png")
    assert prompts_of(tmp_path) == {"x.png": {"x.png/a.png": None}}
