"""Candidates for review: which there are, and what is known of each."""

import hashlib
from typing import Any

import pytest

from anomagent.benchmark.kinds import KINDS, kind_of
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly
from anomagent.store import Workspace, candidates, find_image, save_analysis
from anomagent.store.candidates import (
    UNKNOWN_KIND,
    CandidateTable,
    candidate_texts,
    kinds_of,
    read_candidates,
    save_kinds,
)
from anomagent.store.database import insert_rows
from anomagent.store.selections import write_selections
from anomagent.store.steps import dataset_step
from tests.store.helpers import result
from tests.store.test_analyses import ready


def anomaly(name: str = "Floating chair", severity: int = 10, objects: tuple[str, ...] = ("chair",)) -> dict[str, Any]:
    texts = {"name": name, "phenomenon": f"{name}.", "reasoning": "Gravity.", "severity": severity}
    return {**texts, "objects": list(objects), "support": 1}


def add(
    workspace: Workspace, colour: int, name: str, *names: str, status: str = "ok", run: str = ""
) -> tuple[str, str]:
    """An analysis of the image of a colour with anomalies of these names; its run and the image's hash."""
    new_run, sha256 = ready(workspace, colour, name)
    anomalies = [anomaly(each, severity) for severity, each in enumerate(names)]
    save_analysis(workspace, run or new_run, result(sha256, name, status=status, anomalies=anomalies))
    return run or new_run, sha256


def note_sources(workspace: Workspace, *rows: tuple[str, str, str | None]) -> None:
    keys = ("sha256", "name", "source")
    with workspace.writing() as connection:
        for moment, row in enumerate(rows):
            insert_rows(connection, "sources", [dict(zip(keys, row, strict=True)) | {"created": f"2026-{moment}"}])


def names(workspace: Workspace, table: CandidateTable) -> list[str]:
    return [candidate_texts(workspace, number)["name"] for number in table.ids]


def test_of_each_content_the_newest_analysis_with_a_result_counts(workspace: Workspace) -> None:
    add(workspace, 1, "a.png", "old")
    run, one = add(workspace, 1, "in/a.png", "new", "newer")
    add(workspace, 1, "in/a.png", "broken", status="failed")
    _, two = add(workspace, 2, "b.png", "other", status="partial")
    add(workspace, 3, "fine.png")

    table = read_candidates(workspace)
    assert [image.sha256 for image in table.images] == sorted([one, two])
    expected = {one: ["new", "newer"], two: ["other"]}
    assert names(workspace, table) == [name for sha256 in sorted(expected) for name in expected[sha256]]
    assert [(image.start, image.stop) for image in table.images] in ([(0, 2), (2, 3)], [(0, 1), (1, 3)])
    image = next(image for image in table.images if image.sha256 == one)
    assert (image.name, image.width, image.height, image.source) == ("in/a.png", 4, 4, None)
    assert list(table.positions[image.start : image.stop]) == [0, 1]
    assert list(table.severities[image.start : image.stop]) == [0, 1]

    assert names(workspace, read_candidates(workspace, run)) == ["new", "newer"]
    with pytest.raises(UsageError, match="no run 'x'"):
        read_candidates(workspace, "x")


def test_nothing_was_analysed_or_nothing_was_found(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="no image is analysed yet"):
        read_candidates(workspace)
    add(workspace, 1, "fine.png")
    assert read_candidates(workspace) == CandidateTable()


def test_images_that_a_step_dropped_or_whose_file_is_gone_are_left_out(workspace: Workspace) -> None:
    shas = {name: add(workspace, colour, name, name)[1] for colour, name in enumerate(["a", "b", "c"])}
    with dataset_step(workspace, "filter", {}) as step:
        write_selections(workspace, step, "filter", [(shas["a"], False, "blurred"), (shas["b"], True, None)])
    find_image(workspace, shas["c"]).unlink()
    table = read_candidates(workspace)
    assert names(workspace, table) == ["b"]
    assert table.missing == 1


def test_the_source_is_the_one_that_was_said_last(workspace: Workspace) -> None:
    shas = [add(workspace, colour, f"{colour}.png", "odd")[1] for colour in range(4)]
    note_sources(
        workspace,
        (shas[0], "z.png", "flux"),
        (shas[0], "0.png", "dalle"),
        (shas[1], "z.png", "flux"),
        (shas[1], "a.png", "dalle"),
        (shas[1], "1.png", None),
        (shas[2], "2.png", None),
    )
    found = {image.name: image.source for image in read_candidates(workspace).images}
    assert found == {"0.png": "dalle", "1.png": "dalle", "2.png": None, "3.png": None}


def test_contents_are_hashed_where_they_are_asked_for(workspace: Workspace) -> None:
    _, sha256 = add(workspace, 1, "a.png", "one", "two", "one")
    assert not read_candidates(workspace).contents
    contents = list(read_candidates(workspace, contents=True).contents)
    assert contents[0] == contents[2] != contents[1]  # equal texts about one image are one content
    expected = hashlib.blake2b(f"{sha256}\0one\0one.\0Gravity.".encode(), digest_size=8).hexdigest()
    assert f"{contents[0]:016x}" == expected


def test_texts_and_the_boxes_of_their_objects(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)
    _, other = ready(workspace, 9)
    save_analysis(workspace, run, result(sha256, anomalies=[anomaly(objects=("Straße", "man 1"))]))
    corners = {"x0": 0.0, "y0": 1.0, "x1": 2.5, "y1": 3.0}
    with workspace.writing() as connection:
        for image, name in [(sha256, "STRASSE"), (sha256, "man"), (sha256, "Man 1"), (other, "man 1")]:
            insert_rows(connection, "object_boxes", [{"sha256": image, "object": name} | corners])
    assert candidate_texts(workspace, 1) == {
        "name": "Floating chair",
        "phenomenon": "Floating chair.",
        "reasoning": "Gravity.",
        "objects": ["Straße", "man 1"],
        "boxes": [{"object": "STRASSE"} | corners, {"object": "Man 1"} | corners],
    }
    with pytest.raises(UsageError, match="no candidate 2 in workspace"):
        candidate_texts(workspace, 2)


def test_kinds_are_kept_until_the_rules_change(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    add(workspace, 1, "a.png", "Floating chair", "Six fingers")
    table = read_candidates(workspace)
    assert list(table.kinds) == [UNKNOWN_KIND] * 2

    between: list[None] = []
    kinds = kinds_of(workspace, [1, 2, 99], lambda: between.append(None))
    texts = [Anomaly.model_validate(anomaly(name)) for name in ("Floating chair", "Six fingers")]
    assert kinds == {1: kind_of(texts[0]), 2: kind_of(texts[1])} == {1: "support", 2: "anatomy"}
    assert len(between) == 2

    save_kinds(workspace, kinds)
    assert list(read_candidates(workspace).kinds) == [KINDS.index("support"), KINDS.index("anatomy")]

    monkeypatch.setattr(candidates, "kinds_rules", lambda: "other")
    assert list(read_candidates(workspace).kinds) == [UNKNOWN_KIND] * 2
    save_kinds(workspace, {1: "text"})
    assert list(read_candidates(workspace).kinds) == [KINDS.index("text"), UNKNOWN_KIND]


def test_a_kind_that_nobody_knows_is_read_again(workspace: Workspace) -> None:
    add(workspace, 1, "a.png", "Floating chair")
    save_kinds(workspace, {1: "of another version"})  # type: ignore[dict-item]
    assert list(read_candidates(workspace).kinds) == [UNKNOWN_KIND]
