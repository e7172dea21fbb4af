"""`anomagent review`: people judge candidates in a browser."""

import os
import webbrowser
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from anomagent.cli import review_agreement, review_files
from anomagent.cli.console import complain, note
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from anomagent.review.desk import Desk
    from anomagent.review.routing import Rules
    from anomagent.store import Workspace

TOKEN_VARIABLE = "ANOMAGENT_REVIEW_TOKEN"

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
        typer.Option(metavar="NAME", help="Who decides where others disagree; may be given several times."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in this machine's browser.")] = False,
) -> None:
    """Serve the review page: one candidate at a time, one question, one key an answer. Ends with Ctrl-C.

    Answers are appended to the workspace as they are given, each with who, when and how long; nobody sees those of
    others. Every process that serves the same workspace takes part in the same review.

    Example: `anomagent review --overlap 0.1 --people 2 --adjudicator Ada`
    """
    # No setting, so not known to the settings; and no child process needs to know it.
    os.environ.pop(TOKEN_VARIABLE, None)
    if context.invoked_subcommand:
        return
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ConfigurationError("the review needs an extra: pip install 'anomagent[review]'")
    from anomagent.review.app import create_app
    from anomagent.review.routing import Rules
    from anomagent.review.security import check_token, is_loopback
    from anomagent.review.serving import listen, serve, url_of
    from anomagent.review.sessions import tidy_name
    from anomagent.store import Workspace

    check_token(host, token)
    rules = Rules(overlap, people, tuple(tidy_name(name) for name in adjudicator or []))
    store = Workspace.open(settings_of(workspace=workspace).workspace, create=False)
    with listen(host, port) as listener:
        url = url_of(host, listener)
        desk = _open_desk(store, run, rules)
        application = create_app(desk, host, token)
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
    counts = queue.progress("")["all"]
    if not counts["candidates"]:
        where = f"run {run}" if run else f"workspace {store.path}"
        raise UsageError(
            f"{where}: no anomalies to review; analyse images first, or choose another --workspace or --run"
        )
    note(f"{counts['candidates']:,} candidates, {counts['open']:,} of them open")
    return Desk(store, queue)
