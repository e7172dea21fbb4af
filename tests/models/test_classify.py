"""Kinds by a model, through a real seam and the scripted model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from anomagent.models.classify import classify
from anomagent.models.ledger import MemoryLedger
from anomagent.state.findings import Anomaly
from tests.models.scripted import errors, reply, script, seam_over

FLOATS = Anomaly(name="Floating cup", phenomenon="it hangs in the air", reasoning="nothing carries it", severity=5)
LEGS = Anomaly(name="Five legs", phenomenon="the chair has five", reasoning="chairs have four", severity=40)


async def test_one_call_for_all_anomalies_of_an_image(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    context = script(tmp_path, reply(kinds=["support", "identity"]), role="KindClassifier")
    ask = seam_over(ledger).ask
    found = await classify(ask, context, [FLOATS, LEGS])
    again = await classify(ask, context, [FLOATS, LEGS])

    assert found.kinds == again.kinds == ("support", "identity")
    assert found.failure is None
    assert found.call
    assert again.call
    assert (found.call["attempts"], again.call["ledger_hit"]) == (1, True)
    (row,) = ledger.attempts
    assert (row["role"], row["step"], row["image_sha256"]) == ("KindClassifier", "classify", "")
    assert "1. Floating cup: it hangs in the air Why: nothing carries it" in row["prompt"]


async def test_no_anomalies_no_call(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    found = await classify(seam_over(ledger).ask, script(tmp_path, {"error": "refused"}), [])
    assert (found.kinds, found.call, found.failure) == ((), None, None)
    assert ledger.attempts == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (reply(kinds=["support"]), "there must be 2 kinds, one for each anomaly, not 1"),
        (reply(kinds=["support", "identity", "text"]), "not 3"),
        (reply(kinds=["support", "gravity"]), r"kinds\.1"),
        ({"text": "support, identity"}, "no JSON object"),
    ],
    ids=str,
)
async def test_what_is_no_list_of_kinds_is_a_failure_that_the_ledger_never_replays(
    said: dict[str, Any], message: str, tmp_path: Path
) -> None:
    ledger = MemoryLedger()
    seam = seam_over(ledger)
    context = script(tmp_path, said, said, reply(kinds=["support", "identity"]))
    found = await classify(seam.ask, context, [FLOATS, LEGS])

    assert found.kinds is None
    assert found.failure
    assert (found.failure["role"], found.failure["error"]) == ("KindClassifier", "malformed")
    assert found.call
    assert found.call["attempts"] == 2, "one repair turn"
    assert re.search(message, found.failure["message"])
    assert (await classify(seam.ask, context, [FLOATS, LEGS])).kinds == ("support", "identity")
    assert errors(ledger) == ["malformed", "malformed", None]


async def test_a_refusal_is_a_failure_as_data(tmp_path: Path) -> None:
    found = await classify(seam_over().ask, script(tmp_path, {"error": "refused", "text": "no"}), [FLOATS])
    assert found.failure == {"role": "KindClassifier", "object": None, "error": "refused", "message": "no"}
