from anomagent.cli.board import Board
from anomagent.models.seam import Event, EventKind
from anomagent.models.types import Usage


def _event(kind: EventKind, key: str, role: str = "ObjectPerceiver", about: str | None = None, **more: str) -> Event:
    return Event(kind, key, role, "list", about, 0, usage=Usage(100, 0, 10), **more)


def test_steps_about_the_image_count_their_passes() -> None:
    board = Board()
    for event in (_event("sent", "a"), _event("sent", "b"), _event("answered", "a")):
        board.add(event)

    cell = board.steps["ObjectPerceiver.list"]
    assert (len(cell.asked), len(cell.done), cell.running) == (2, 1, True)
    board.add(_event("ledger_hit", "b"))
    assert not cell.running
    assert (board.requests, board.ledger_hits) == (2, 1)


def test_objects_have_a_cell_for_each_agent() -> None:
    board = Board()
    board.add(_event("sent", "a", "AttributeAnalyzer", "chair"))
    board.add(_event("sent", "b", "RelationReasoner", "chair"))
    board.add(_event("failed", "b", "RelationReasoner", "chair", detail="refused"))

    assert board.objects["chair"]["AttributeAnalyzer"].running
    assert not board.objects["chair"]["RelationReasoner"].running
    assert board.objects["chair"]["RelationReasoner"].failed == "refused"


def test_tokens_are_counted_once_a_call_however_many_events_it_has() -> None:
    board = Board()
    for kind in ("sent", "cut_off", "sent", "answered"):
        board.add(_event(kind, "a"))
    board.add(_event("answered", "b"))

    assert board.tokens == (200, 20)


def test_trouble_is_news_until_the_next_event() -> None:
    board = Board()
    board.add(_event("sent", "a"))
    board.add(_event("retry", "a", detail="rate_limited, again in 2.0 s"))
    assert board.steps["ObjectPerceiver.list"].news == "retry: rate_limited, again in 2.0 s"
    board.add(_event("answered", "a"))
    assert board.steps["ObjectPerceiver.list"].news == ""
