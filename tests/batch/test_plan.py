"""What is analysed, and what is not: content, earlier batches, failures, changed configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.batch.configuration import Gate
from anomagent.errors import ConfigurationError, Refused
from anomagent.graph.analyze import Analyzer
from anomagent.state.findings import Analysis
from anomagent.store import Workspace, find_analyses
from anomagent.store.images import hash_file
from tests.batch.folder import Folder


async def test_all_images_are_analysed_and_the_counts_add_up(folder: Folder) -> None:
    folder.draw("images/a/1.png", "images/b/1.png", "images/c.png")
    tally = await folder.run()
    assert (tally.ok, tally.done, tally.left, tally.exit_code) == (3, 3, 0, 0)
    assert folder.sent() == tally.usage.calls == 3
    assert sorted(folder.statuses()) == [("images/a/1.png", "ok"), ("images/b/1.png", "ok"), ("images/c.png", "ok")]


async def test_what_is_done_is_not_done_again(folder: Folder) -> None:
    folder.draw("images/1.png", "images/2.png")
    await folder.run()
    folder.sent()
    folder.draw("images/3.png")
    tally = await folder.run()
    assert (tally.done, tally.already_done, tally.left, folder.sent()) == (1, 2, 0, 1)
    assert (tally.finished_before, tally.looked_at, tally.to_do) == (2, 3, 0)


async def test_what_another_command_did_counts_as_done(folder: Folder) -> None:
    from anomagent import analyze

    folder.draw("images/1.png")
    await analyze("images/1.png", model="fake:x", schedule="direct", workspace=folder.workspace)
    assert (await folder.run()).already_done == 1


async def test_equal_files_are_analysed_once_and_reported_for_each_name(folder: Folder) -> None:
    # 40 names of one content reach over two of the chunks in which files are looked at.
    folder.draw(*(f"images/{number}.png" for number in range(40)), shade=7)
    tally = await folder.run()
    assert (folder.sent(), tally.ok, tally.duplicates, tally.usage.calls) == (1, 40, 39, 1)
    assert len(folder.statuses()) == 1
    assert len(folder.read("SELECT name FROM image_names")) == 40


async def test_one_content_under_a_new_name_is_already_done(folder: Folder) -> None:
    folder.draw("images/1.png", shade=7)
    await folder.run()
    folder.draw("images/2.png", shade=7)
    tally = await folder.run()
    assert (tally.already_done, tally.done, folder.sent()) == (2, 0, 1)
    (found,) = find_analyses(Workspace.open(folder.workspace), "2.png")
    assert found["image"] == "images/1.png"


async def test_unreadable_files_fail_alone(folder: Folder) -> None:
    folder.draw("images/1.png")
    Path("images/2.png").write_bytes(b"no image")
    Path("images/3.png").symlink_to("lost.png")
    tally = await folder.run()
    assert (tally.ok, tally.failed, tally.unreadable, tally.left, tally.exit_code) == (1, 2, 2, 0, 3)
    assert {failure["image"]: failure["error"] for failure in tally.failures} == {
        "images/2.png": "unreadable",
        "images/3.png": "unreadable",
    }


async def test_unreadable_files_fail_where_only_failures_are_retried(folder: Folder) -> None:
    folder.draw("images/1.png")
    Path("images/2.png").write_bytes(b"no image")
    Path("images/3.png").symlink_to("lost.png")
    tally = await folder.run(which="failed")
    assert (tally.unreadable, tally.not_meant, tally.left, tally.exit_code, folder.sent()) == (2, 1, 1, 3, 0)


async def test_copies_of_a_file_that_changed_meanwhile_are_analysed_for_themselves(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.draw("images/1.png", "images/2.png", "images/3.png", shade=7)
    analyze = Analyzer.analyze

    async def change_first(self: Analyzer, path: str) -> Analysis:
        if path == "images/1.png":
            folder.draw(path, shade=8)
        return await analyze(self, path)

    monkeypatch.setattr(Analyzer, "analyze", change_first)
    tally = await folder.run()
    assert (tally.ok, tally.duplicates, tally.left, folder.sent()) == (3, 1, 0, 2)
    contents = {analysis.image: analysis.sha256 for analysis in folder.analyses}
    assert contents == {path: hash_file(Path(path)) for path in contents}
    assert set(contents) == {f"images/{number}.png" for number in (1, 2, 3)}


class TestFailures:
    @pytest.fixture(autouse=True)
    def _images(self, folder: Folder) -> None:
        folder.draw("images/1.png", "images/2.png")
        folder.model.on(says=Refused("not this one"))

    async def test_they_are_left_alone_and_counted(self, folder: Folder) -> None:
        first = await folder.run()
        assert (first.failed, first.exit_code, folder.sent()) == (2, 3, 2)
        named = sorted(first.failures, key=lambda failure: failure["image"])
        assert named[0] == {"image": "images/1.png", "error": "refused", "message": "not this one"}
        again = await folder.run()
        assert (again.failed, again.failed_earlier, again.left, again.exit_code) == (0, 2, 2, 3)
        assert folder.sent() == 0

    async def test_retrying_does_them_and_nothing_else(self, folder: Folder) -> None:
        await folder.run("images/1.png")
        folder.sent()
        folder.model.rules.clear()
        folder.draw("images/3.png")
        tally = await folder.run(which="failed")
        assert (tally.ok, tally.left, tally.exit_code, folder.sent()) == (1, 2, 0, 1)
        assert folder.statuses() == [("images/1.png", "failed"), ("images/1.png", "ok")]
        # Once it is ok it is done, whatever failed before.
        assert (await folder.run("images/1.png")).already_done == 1

    async def test_an_image_that_fails_again_is_failed(self, folder: Folder) -> None:
        await folder.run()
        tally = await folder.run(which="failed")
        assert (tally.failed, tally.exit_code, folder.sent()) == (2, 3, 4)

    async def test_copies_of_a_failed_image_fail_with_it(self, folder: Folder) -> None:
        folder.draw(*(f"copies/{number}.png" for number in range(40)), shade=200)
        tally = await folder.run("copies")
        assert (tally.failed, tally.duplicates, folder.sent()) == (40, 39, 1)


class TestChangedConfiguration:
    """Two images are done under one temperature, then another one is wanted."""

    @pytest.fixture(autouse=True)
    async def _first(self, folder: Folder) -> None:
        folder.draw("images/1.png", "images/2.png")
        await folder.run()
        folder.sent()
        folder.draw("images/3.png")

    async def test_is_refused_with_what_changed(self, folder: Folder) -> None:
        with pytest.raises(ConfigurationError, match=r"temperature: unset -> 0\.5.*--new-run.*--retry") as raised:
            await folder.run(temperature=0.5)
        assert (folder.sent(), raised.value.exit_code) == (0, 2)
        assert len(folder.read("SELECT id FROM runs")) == 1

    async def test_another_model_behind_the_same_name_is_one(self, folder: Folder) -> None:
        folder.model.identity = "another"
        with pytest.raises(ConfigurationError, match="model behind DirectDetector: fake -> another"):
            await folder.run()

    async def test_a_new_run_does_everything(self, folder: Folder) -> None:
        tally = await folder.run(gate=Gate("new run"), temperature=0.5)
        assert (tally.ok, tally.already_done, folder.sent()) == (3, 0, 3)
        assert not folder.said
        assert (await folder.run(temperature=0.5)).already_done == 3

    async def test_a_new_run_of_what_has_not_changed_is_told_so(self, folder: Folder) -> None:
        tally = await folder.run(gate=Gate("new run"))
        assert (tally.ok, tally.already_done) == (1, 2)
        assert [line.partition(":")[0] for line in folder.said] == ["--new-run changed nothing"]

    async def test_retry_keeps_what_is_finished_for_all_batches_to_come(self, folder: Folder) -> None:
        tally = await folder.run(gate=Gate("retry"), which="both", temperature=0.5)
        assert (tally.ok, tally.already_done, folder.sent()) == (1, 2, 1)
        assert (await folder.run(temperature=0.5)).already_done == 3
        tally = await folder.run(gate=Gate("retry"), which="both", temperature=0.7)
        assert (tally.already_done, folder.sent()) == (3, 0)

    async def test_retry_does_what_failed_under_the_earlier_one(self, folder: Folder) -> None:
        folder.model.on(says=Refused("not this one"))
        await folder.run()
        folder.model.rules.clear()
        folder.sent()
        tally = await folder.run(gate=Gate("retry"), which="both", temperature=0.5)
        assert (tally.ok, tally.already_done, folder.sent()) == (1, 2, 1)

    async def test_a_clock_that_jumped_back_changes_nothing(self, folder: Folder) -> None:
        with Workspace.open(folder.workspace).writing() as database:
            database.execute("UPDATE runs SET started = '2999-01-01T00:00:00.000Z'")
        await folder.run(gate=Gate("new run"), temperature=0.5)
        assert (await folder.run(temperature=0.5)).already_done == 3

    async def test_settings_of_this_machine_are_none(self, folder: Folder) -> None:
        tally = await folder.run(concurrency=2, timeout=10, retries=1)
        assert (tally.ok, tally.already_done) == (1, 2)
