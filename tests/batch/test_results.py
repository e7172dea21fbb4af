"""The file of results: one line a name, content and configuration; what is no such file stays as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anomagent.batch.configuration import Gate
from anomagent.batch.results import ResultsFile
from anomagent.errors import UsageError
from tests.batch.folder import Folder


class TestResultsFile:
    async def test_has_a_line_for_each_name_with_what_the_manifest_says(self, folder: Folder) -> None:
        folder.draw("images/1.png", "images/2.png", shade=7)
        folder.draw("images/3.png")
        Path("list.csv").write_text("image,id,prompt\nimages/1.png,x,A cat\n")
        with ResultsFile(Path("results.jsonl")) as results:
            await folder.run("list.csv", "images", results=results)
        lines = lines_of("results.jsonl")
        assert set(lines) == {"images/1.png", "images/2.png", "images/3.png"}
        assert (lines["images/1.png"]["id"], lines["images/1.png"]["prompt"]) == ("x", "A cat")
        assert lines["images/2.png"]["sha256"] == lines["images/1.png"]["sha256"]
        assert [lines[f"images/{number}.png"]["usage"]["calls"] for number in (1, 2, 3)] == [1, 0, 1]

    async def test_goes_on_after_a_crash_and_repeats_nothing(self, folder: Folder) -> None:
        folder.draw("images/1.png", "images/2.png", "images/3.png")
        with ResultsFile(Path("results.jsonl")) as results:
            await folder.run(results=results)
        whole = Path("results.jsonl").read_bytes().splitlines(keepends=True)
        # One line is whole, one is torn, one was never written; all three images are in the store.
        Path("results.jsonl").write_bytes(whole[0] + whole[1][:40])
        with ResultsFile(Path("results.jsonl")) as results:
            tally = await folder.run(results=results)
        assert tally.already_done == 3
        assert len(Path("results.jsonl").read_text().splitlines()) == len(lines_of("results.jsonl")) == 3

    async def test_tells_contents_and_configurations_apart(self, folder: Folder) -> None:
        folder.draw("images/1.png")
        configurations: list[str | None] = []
        for shade, temperature in ((None, None), (9, None), (9, 0.5)):
            if shade:
                folder.draw("images/1.png", shade=shade)
            first = await folder.run(gate=Gate("new run"), temperature=temperature)
            configurations.append(first.configuration)
            # All is done before the file of results is opened, so that only what is missing in it is written.
            for _ in range(2):
                with ResultsFile(Path("results.jsonl")) as results:
                    await folder.run(results=results, temperature=temperature)
        lines = [json.loads(line) for line in Path("results.jsonl").read_text().splitlines()]
        assert [line["configuration"] for line in lines] == configurations
        assert len({line["sha256"] for line in lines}) == 2
        assert len(set(configurations)) == 2

    async def test_a_kept_result_has_its_own_configuration(self, folder: Folder) -> None:
        folder.draw("images/1.png")
        first = await folder.run()
        for _ in range(2):
            with ResultsFile(Path("results.jsonl")) as results:
                await folder.run(gate=Gate("retry"), which="both", temperature=0.5, results=results)
        (line,) = Path("results.jsonl").read_text().splitlines()
        assert json.loads(line)["configuration"] == first.configuration

    async def test_a_whole_line_without_an_end_is_kept(self, folder: Folder) -> None:
        folder.draw("images/1.png")
        with ResultsFile(Path("results.jsonl")) as results:
            await folder.run(results=results)
        whole = Path("results.jsonl").read_bytes()
        Path("results.jsonl").write_bytes(whole.rstrip())
        with ResultsFile(Path("results.jsonl")) as results:
            await folder.run(results=results)
        assert Path("results.jsonl").read_bytes() == whole

    def test_a_first_line_that_was_torn_is_removed(self) -> None:
        Path("results.jsonl").write_text('{"image": "a.png", "sha2')
        ResultsFile(Path("results.jsonl")).close()
        assert Path("results.jsonl").read_text() == ""

    @pytest.mark.parametrize(
        "text",
        [
            "[" * 100_000,
            "hello\n",
            "[1]\n",
            '{"image": "a.png"}\n',
            "hello",
            "a secret",
            "{",
            '{"image": "a.png", "id": "7"}',
            "[1]",
        ],
        ids=lambda text: text[:30].strip(),
    )
    def test_of_another_kind_is_refused_and_stays(self, text: str) -> None:
        Path("other.txt").write_text(text)
        with pytest.raises(UsageError, match=r"other\.txt: line 1: is no result"):
            ResultsFile(Path("other.txt"))
        assert Path("other.txt").read_text() == text


def lines_of(path: str) -> dict[str, dict[str, Any]]:
    """The objects of a file of results, by image."""
    return {entry["image"]: entry for entry in map(json.loads, Path(path).read_text().splitlines())}
