from pathlib import Path

import pytest

from anomagent.audit.layouts import read_layout
from anomagent.errors import UsageError
from tests.audit.builders import draw, write_json


def test_a_manifest_gives_generators_and_prompts(tmp_path: Path):
    draw(tmp_path, "b/1.png", "a/1.png", "loose.png")
    manifest = tmp_path / "list.csv"
    manifest.write_text('image,prompt,generator\nb/1.png,"a cat, black",B\n./a/1.png,a dog,A\nloose.png,,\n')
    found = read_layout(manifest)
    assert [(each.generator, each.layout) for each in found] == [
        ("A", "manifest"),
        ("B", "manifest"),
        ("list", "manifest"),
    ]
    assert [[(image.key, image.prompt) for image in each.images] for each in found] == [
        [("a/1.png", "a dog")],
        [("b/1.png", "a cat, black")],
        [("loose.png", None)],
    ]
    assert all(image.path.is_file() for each in found for image in each.images)


def test_a_name_makes_one_generator(tmp_path: Path):
    draw(tmp_path, "a.png", "b.png")
    manifest = write_json(
        tmp_path / "list.json", [{"image": "b.png", "generator": "B"}, {"image": "a.png", "source": "S"}]
    )
    (found,) = read_layout(manifest, name="all")
    assert (found.generator, [image.key for image in found.images]) == ("all", ["a.png", "b.png"])
    assert [each.generator for each in read_layout(manifest)] == ["B", "S"]


def test_images_that_are_not_there_are_counted(tmp_path: Path):
    manifest = write_json(tmp_path / "list.json", [{"image": "a.png"}, {"image": "b.png"}])
    with pytest.raises(UsageError, match=r"lists 'a\.png' and 1 more, not there"):
        read_layout(manifest)


def test_one_image_under_two_spellings_is_refused(tmp_path: Path):
    draw(tmp_path, "a.png")
    manifest = write_json(tmp_path / "list.json", [{"image": "a.png"}, {"image": "./a.png"}])
    with pytest.raises(UsageError, match="are one file"):
        read_layout(manifest)


def test_a_list_of_prompts_beside_a_manifest_is_refused(tmp_path: Path):
    manifest = write_json(tmp_path / "list.json", [{"image": "a.png"}])
    with pytest.raises(UsageError, match="has its own prompts"):
        read_layout(manifest, prompts=tmp_path / "prompts.json")


@pytest.mark.parametrize("image", ["../secret.png", "a/../../secret.png", "out.png", "folder/secret.png"])
def test_relative_paths_stay_in_the_folder(tmp_path: Path, image: str):
    draw(tmp_path, "secret.png", "elsewhere/secret.png", "set/a/1.png")
    (tmp_path / "set" / "out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "set" / "folder").symlink_to(tmp_path / "elsewhere")
    manifest = write_json(tmp_path / "set" / "list.json", [{"image": image}])
    with pytest.raises(UsageError, match="leads out of") as caught:
        read_layout(manifest)
    assert "\n" not in str(caught.value)


def test_absolute_paths_and_links_within_are_the_users_own(tmp_path: Path):
    draw(tmp_path, "elsewhere/1.png", "set/a/2.png")
    (tmp_path / "set" / "link.png").symlink_to("a/2.png")
    absolute = str(tmp_path / "elsewhere" / "1.png")
    manifest = write_json(
        tmp_path / "set" / "list.json", [{"image": absolute}, {"image": "a/../link.png"}, {"image": "a/2.png"}]
    )
    (found,) = read_layout(manifest)
    assert [image.key for image in found.images] == [absolute, "a/2.png", "link.png"]
