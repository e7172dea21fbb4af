"""What people made of an analysis, candidate by candidate."""

from __future__ import annotations

import json

from anomagent.store import Workspace
from anomagent.store.annotations import reading_newest
from anomagent.store.judged import read_judged
from tests.dataset.filling import add, anomaly, begin, judge


def test_candidates_by_what_was_decided(workspace: Workspace) -> None:
    add(workspace, begin(workspace), "a.png", anomalies=[anomaly(name) for name in ("leg", "arm", "ear", "sky", "cup")])
    for name, verdict in {"leg": "ACCEPT", "arm": "REJECT", "ear": "UNSURE", "cup": "ACCEPT"}.items():
        judge(workspace, name, verdict)  # type: ignore[arg-type]
    with reading_newest(workspace) as newest:
        (listed,) = newest.listed(["partial"])
        judged = read_judged(newest, listed.id)
        assert list(judged.accepted) == [one for one in newest.anomalies(listed.id) if one.name in ("leg", "cup")]
    assert [one.name for one in judged.accepted] == ["leg", "cup"]
    assert [one.name for one in judged.rejected] == ["arm"]
    assert (judged.undecided, judged.description) == (2, None)
    assert judged.rejected[0].model_dump() == anomaly("arm")


def test_a_real_images_description(workspace: Workspace) -> None:
    add(workspace, begin(workspace), "a.png", anomalies=[])
    with workspace.writing() as connection:
        connection.execute(
            "INSERT INTO findings (analysis_id, position, role, kind, item) VALUES (1, 99, 'Import', 'description', ?)",
            [json.dumps({"text": "A street."})],
        )
    with reading_newest(workspace) as newest:
        assert read_judged(newest, 1).description == "A street."
        assert read_judged(newest, 1).accepted == ()
