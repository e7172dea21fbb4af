"""A result as JSON, as the classic text, or as a table for people."""

from collections.abc import Callable, Sequence
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from anomagent.cli.console import flat, plain, print_json, stdout
from anomagent.report.costs import count, describe_usage
from anomagent.report.plain import printable
from anomagent.state.classic_text import format_anomalies
from anomagent.state.findings import Analysis, Anomaly, Failure

Format = Literal["json", "text", "table"]

_STATUS_STYLES = {"ok": "bold green", "partial": "bold yellow", "failed": "bold red"}
SEVERITY_SCALE = "Severity: 0 = completely implausible, 100 = fully realistic. Support: passes and scans that saw it."


def printer_for(form: Format) -> Callable[[Analysis], None]:
    """What prints a result to stdout in this form."""
    return {"json": _print_json, "text": _print_text, "table": _print_table}[form]


def draw_result(analysis: Analysis) -> RenderableType:
    """Status, anomalies, failures and usage of one image."""
    parts: list[RenderableType] = [draw_heading(analysis)]
    if analysis.anomalies:
        parts.append(draw_anomalies(analysis.anomalies))
        parts.append(Text(SEVERITY_SCALE, "dim"))
    elif analysis.status != "failed":
        parts.append(Text("No semantic anomaly was found."))
    parts.extend(draw_failure(failure) for failure in analysis.failures)
    parts.append(Text(f"{describe_usage(analysis.usage)}, {analysis.seconds:.1f} s", "dim"))
    return Group(*parts)


def draw_heading(analysis: Analysis) -> Text:
    """Image, status, schedule and the number of anomalies."""
    return Text.assemble(
        plain(flat(analysis.image), "bold"),
        "  ",
        Text(analysis.status, _STATUS_STYLES[analysis.status]),
        f"  {analysis.schedule}, {count(len(analysis.anomalies), 'anomaly', 'anomalies')}",
    )


def draw_anomalies(anomalies: Sequence[Anomaly]) -> Table:
    """The quadruples, the least realistic at no special place: in the order of the report."""
    table = Table(box=SIMPLE_HEAD, expand=True, show_lines=True)
    for header, ratio in (("Name", 3), ("Phenomenon", 6), ("Reasoning", 6)):
        table.add_column(header, ratio=ratio)
    table.add_column("Severity", justify="right", width=8, no_wrap=True)
    table.add_column("Support", justify="right", width=7, no_wrap=True)
    for anomaly in anomalies:
        name = plain(anomaly.name, "bold")
        if anomaly.objects:
            name.append_text(plain(f"\n{', '.join(anomaly.objects)}", "dim"))
        table.add_row(
            name, plain(anomaly.phenomenon), plain(anomaly.reasoning), _severity(anomaly.severity), str(anomaly.support)
        )
    return table


def draw_failure(failure: Failure) -> Text:
    """Who failed, at what, and why."""
    about = f" on {failure['object']}" if failure["object"] else ""
    return plain(flat(f"! {failure['role']}{about}: {failure['error']}: {failure['message']}"), "red")


def _severity(severity: int) -> Text:
    style = "red" if severity <= 30 else "yellow" if severity <= 60 else "green"
    return Text(f"{severity}/100", style)


def _print_json(analysis: Analysis) -> None:
    print_json(analysis.model_dump(mode="json"))


def _print_text(analysis: Analysis) -> None:
    """The classic text, under the image's name; where there is no result, nothing that could be taken for one."""
    body = "" if analysis.status == "failed" else format_anomalies(analysis.anomalies) + "\n"
    print(printable(f"# {flat(analysis.image)}\n{body}"), flush=True)


def _print_table(analysis: Analysis) -> None:
    stdout().print(draw_result(analysis))
    print(flush=True)
