from anomagent.report.costs import describe_usage, group_calls
from anomagent.state.findings import UsageTotals
from tests.report.examples import call_ref


def test_calls_are_added_up_by_role_and_step() -> None:
    calls = [
        call_ref("ObjectPerceiver", "list"),
        call_ref("ObjectPerceiver", "merge"),
        call_ref("ObjectPerceiver", "list", hit=True),
    ]
    first, second = group_calls(calls)

    assert (first.role, first.step, first.answers, first.totals.calls) == ("ObjectPerceiver", "list", 2, 1)
    assert (first.totals.ledger_hits, first.totals.input_tokens, first.totals.usd) == (1, 100, 0.25)
    assert (second.step, second.answers) == ("merge", 1)


def test_an_unknown_price_is_not_called_free() -> None:
    assert describe_usage(UsageTotals.of([call_ref("a", "b", usd=None)])).endswith("price unknown")
