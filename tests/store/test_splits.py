from anomagent.store import Workspace
from anomagent.store.splits import Placed, count_parts, read_members, save_parts, split_settings
from anomagent.store.steps import dataset_step
from tests.dataset.near import add_picture, scenery


def test_a_part_is_for_good(workspace: Workspace) -> None:
    sha256 = add_picture(workspace, "a.png", scenery(1), "A dog")
    with dataset_step(workspace, "split", {"seed": 1}) as step:
        save_parts(workspace, step, "x", [Placed(sha256, "train", "file")])
    assert split_settings(workspace, "x") is None  # nothing was placed by hash, so no rule is set

    with dataset_step(workspace, "split", {"seed": 2}) as step:
        save_parts(workspace, step, "x", [Placed(sha256, "test", "hash")])
        save_parts(workspace, step, "y", [Placed(sha256, "test", "hash")])

    assert count_parts(workspace) == {"x": {"train": 1}, "y": {"test": 1}}
    assert split_settings(workspace, "y") == {"seed": 2}
    (member,) = read_members(workspace, "x")
    assert (member.names, member.prompts, member.part) == (("a.png",), ("A dog",), "train")
    (member,) = read_members(workspace, "z")
    assert member.part is None


def test_names_of_an_image_are_those_of_its_sources(workspace: Workspace) -> None:
    add_picture(workspace, "list/a.png", scenery(1), "A dog")
    add_picture(workspace, "list/b.png", scenery(1), "Two dogs")
    with workspace.writing() as connection:
        connection.execute("INSERT INTO image_names SELECT sha256, 'elsewhere/c.png', '2026' FROM images")
    (member,) = read_members(workspace, "x")
    assert (member.names, member.prompts) == (("list/a.png", "list/b.png"), ("A dog", "Two dogs"))


def test_an_image_without_a_source_is_called_as_it_was_analysed(workspace: Workspace) -> None:
    sha256 = add_picture(workspace, "in/a.png", scenery(1))
    with workspace.writing() as connection:
        connection.execute("DELETE FROM sources")
    assert next(read_members(workspace, "x")).names == ("in/a.png",)
    with workspace.writing() as connection:
        connection.execute("UPDATE image_names SET name = '<image>'")
    assert next(read_members(workspace, "x")).names == (sha256,)
