"""What a long work says on the way."""

from __future__ import annotations

import pytest

from anomagent.cli.scoring import counted_progress, note_some


def test_each_thing_done_counts(capsys: pytest.CaptureFixture[str]) -> None:
    with counted_progress("judging", 400) as done:
        for thing in range(100):
            done(thing)

    assert capsys.readouterr().err.splitlines() == ["judging: 40 of 400", "judging: 80 of 400"]


@pytest.mark.parametrize(("number", "last"), [(5, "x: 4"), (6, "x: 1 more")])
def test_few_of_many_lines_are_said(capsys: pytest.CaptureFixture[str], number: int, last: str) -> None:
    note_some("x", [str(line) for line in range(number)])

    lines = capsys.readouterr().err.splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("x: 0", last, number)
