"""`anomagent review`: people judge candidates in a browser."""

import os
import webbrowser
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Annotated, cast

import typer

from anomagent.cli import review_agreement, review_files
from anomagent.cli.console import complain, note
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.errors import ConfigurationError, UsageError
from anomagent.report.plain import printable

if TYPE_CHECKING:
    from anomagent.review.desk import Desk
    from anomagent.review.routing import Rules
    from anomagent.store import Workspace

TOKEN_VARIABLE = "ANOMAGENT_REVIEW_TOKEN"
STEP = "review"
"""Under which a review's rules are kept among the steps of the data set."""

app = typer.Typer()
app.command()(review_agreement.agreement)
app.command()(review_files.export)
app.command("import")(review_files.import_answers)


@app.callback(invoke_without_command=True)
def review(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Candidates of this run alone, not of the whole workspace.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; any but a loopback one needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            envvar=TOKEN_VARIABLE,
            help="What people need to sign in. Others on this machine can see flags, so prefer the variable.",
        ),
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Share of the candidates given to several people.")
    ] = 0.0,
    people: Annotated[int, typer.Option(min=1, metavar="K", help="To how many.")] = 2,
    adjudicator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Who decides where others disagree or are unsure; may be given several times."
        ),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in this machine's browser.")] = False,
) -> None:
    """Serve the review page: one candidate at a time, one question, one key an answer. Ends with Ctrl-C.

    Answers are appended to the workspace as they are given, each with who, when and how long; nobody sees those of
    others. One server serves a workspace; other machines and people open its page.

    Example: `anomagent review --overlap 0.1 --people 2 --adjudicator Ada`
    """
    # No setting, so not known to the settings; and no child process needs to know it.
    os.environ.pop(TOKEN_VARIABLE, None)
    if context.invoked_subcommand:
        return
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ConfigurationError("the review needs an extra: pip install 'anomagent[review]'")
    from anomagent.review.app import create_app
    from anomagent.review.claim import claimed
    from anomagent.review.names import tidy_name
    from anomagent.review.routing import Rules
    from anomagent.review.security import check_token, is_loopback
    from anomagent.review.serving import listen, serve, url_of
    from anomagent.store import Workspace

    check_token(host, token)
    rules = Rules(overlap, people, tuple(tidy_name(name) for name in adjudicator or []))
    store = Workspace.open(settings_of(workspace=workspace).workspace, create=False)
    with claimed(store) as claim, listen(host, port) as listener:
        desk, url = _open_desk(store, run, rules), url_of(host, listener)
        application = create_app(desk, host, token)
        claim.tell(url)
        note(f"review at {url} (Ctrl-C ends it)")
        if not is_loopback(host):
            note("names, token and images cross the network in plain HTTP; anywhere but at home use an SSH tunnel")
        if open_page:
            Thread(target=webbrowser.open, args=[url], daemon=True).start()
        serve(application, listener)
    note(f"ended; answers stored in this session: {desk.stored:,}")


def _open_desk(store: "Workspace", run: str | None, rules: "Rules") -> "Desk":
    """The review of this workspace. Raises `UsageError` where there is nothing to review."""
    from anomagent.review.desk import Desk
    from anomagent.review.queue import Queue

    queue = Queue.load(store, run, rules)
    if queue.missing:
        complain(f"{queue.missing:,} images are left out: their files are not in the workspace; analyse them again")
    if not queue.size:
        where = f"run {run}" if run else f"workspace {store.path}"
        raise UsageError(
            f"{where}: no anomalies to review; analyse images first, or choose another --workspace or --run"
        )
    note(f"{queue.size:,} candidates, {queue.open:,} of them open")
    _note_rules(store, run, rules)
    return Desk(store, queue)


def _note_rules(store: "Workspace", run: str | None, rules: "Rules") -> None:
    """Keep what this review asks for, and say where the last one asked for something else."""
    from anomagent.store.steps import dataset_step, read_steps

    asked = {"run": run, **rules.described()}
    last = next((step["settings"] for step in reversed(read_steps(store)) if step["step"] == STEP), asked)
    differing = [f"{name} {_shown(last.get(name))}" for name in asked if last.get(name) != asked[name]]
    if differing:
        complain(f"the last review of this workspace had other rules: {', '.join(differing)}")
    with dataset_step(store, STEP, asked):
        pass


def _shown(value: object) -> str:
    """A rule of the last time, which anybody may have written into the file."""
    text = ", ".join(map(str, cast(list[object], value))) if isinstance(value, list) else str(value)
    return printable(text)[:200] or "none"
