import json
from typing import Any

import pytest

from anomagent.store import Workspace, finish_run, start_run


def test_a_run_is_written_with_its_configuration(workspace: Workspace) -> None:
    config = {"model": "openai:gpt-4o", "max_tokens": 2048, "roles": [{"name": "straße"}]}

    run = start_run(workspace, "anomagent run a.png", config, "hash")
    with workspace.reading() as connection:
        row = connection.execute(
            "SELECT command, config, config_hash, finished FROM runs WHERE id = ?", (run,)
        ).fetchone()
    assert row == ("anomagent run a.png", json.dumps(config, ensure_ascii=False, sort_keys=True), "hash", None)

    finish_run(workspace, run)
    with workspace.reading() as connection:
        started, finished = connection.execute("SELECT started, finished FROM runs WHERE id = ?", (run,)).fetchone()
    assert started <= finished


@pytest.mark.parametrize(
    "config",
    [{"openai_api_key": "x"}, {"OPENAI-API-KEY": None}, {"models": [{"apiKey": "x"}]}, {"db": {"password": "x"}}],
    ids=str,
)
def test_a_secret_never_reaches_the_database(workspace: Workspace, config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must not hold secrets"):
        start_run(workspace, "run", config, "hash")

    with workspace.reading() as connection:
        assert connection.execute("SELECT * FROM runs").fetchall() == []
