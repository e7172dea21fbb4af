"""`anomagent finetune check`: whether an adapter is whole, does something, and is what a server serves."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomagent.cli.console import note, plain, print_json, stdout
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.finetune.serving.check import Checked
    from anomagent.finetune.serving.checklist import Check

_STYLES = {"ok": "green", "failed": "bold red", "not checked": "yellow"}


def check(
    adapter: Annotated[Path, typer.Argument(metavar="ADAPTER", help="The folder with adapter_config.json.")],
    base: Annotated[
        str | None, typer.Option(metavar="DIR_OR_HUB_ID", help="The base model.", show_default="the adapter's own")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Also an OpenAI-compatible server, such as vLLM's /v1.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The adapter's name at the server.", show_default="its folder's")
    ] = None,
    base_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The base's name at the server, to compare answers with.")
    ] = None,
    load: Annotated[
        bool, typer.Option("--load/--no-load", help="Load base and adapter, to see what the adapter changes.")
    ] = True,
    device: Annotated[str, typer.Option(help="Where to load them: auto, cpu, cuda, cuda:1.")] = "auto",
    print_serve: Annotated[
        bool, typer.Option("--print-serve", help="Only print the command that serves the adapter.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check an adapter: files, numbers, pixel bounds, base, names of tensors, and what it changes.

    With --base-url also a server: whether it counts the tokens of questions and pictures as training did, and whether
    the adapter is applied there. The key of a server is read from OPENAI_API_KEY. At the end stands the command that
    serves the adapter with vLLM. Exit code 3: a check failed; what was not checked is said, and is not ok.

    Example: `anomagent finetune check runs/7b/adapter --base Qwen/Qwen2.5-VL-7B-Instruct`
    """
    import asyncio

    from anomagent.finetune.serving.check import check_adapter
    from anomagent.finetune.serving.endpoint import Endpoint, check_address, check_endpoint

    if base_model and not base_url:
        raise ConfigurationError("--base-model is a name at a server; give --base-url as well")
    if print_serve:
        _print_serve(adapter, base, model)
        return
    if base_url:
        check_address(base_url)
    checked = check_adapter(adapter, base, load=load, device=device, note=note)
    if base_url:
        note("asking the server")
        asyncio.run(check_endpoint(Endpoint(base_url, _name(checked, model), base_model), checked))
    _print(checked, _command(checked, base, model), json)
    if checked.checklist.failed:
        raise typer.Exit(SOMETHING_FAILED)


def _name(checked: "Checked", model: str | None) -> str:
    from anomagent.finetune.serving.commands import served_name

    return model or (served_name(checked.adapter) if checked.adapter else "adapter")


def _command(checked: "Checked", base: str | None, model: str | None) -> str | None:
    """The command that serves the adapter, where it is one whose base is known."""
    from anomagent.finetune.serving.commands import serve_command

    adapter = checked.adapter
    named = base or (adapter.config.base if adapter else None)
    return serve_command(adapter, named, _name(checked, model), checked.bounds) if adapter and named else None


def _print_serve(directory: Path, base: str | None, model: str | None) -> None:
    """Print the command. Raises `UsageError` for what vLLM would not serve as it was trained."""
    from anomagent.errors import UsageError
    from anomagent.finetune.serving.adapters import read_adapter
    from anomagent.finetune.serving.commands import serve_command, served_name, serving_problem
    from anomagent.finetune.serving.libraries import need_packages

    need_packages()
    adapter = read_adapter(directory)
    if problem := serving_problem(adapter):
        raise UsageError(f"{directory}: {problem}; serve a merged model: anomagent finetune merge")
    named = base or adapter.config.base
    if named is None:
        raise UsageError(f"{directory}: names no base; give --base")
    print(serve_command(adapter, named, model or served_name(adapter), adapter.bounds))


def _print(checked: "Checked", command: str | None, json: bool) -> None:
    if json:
        facts = checked.adapter.facts() if checked.adapter else None
        bounds = checked.bounds.options() if checked.bounds else None
        checks = [asdict(check) for check in checked.checklist.checks]
        failed = checked.checklist.failed
        print_json({"adapter": facts, "pixel_bounds": bounds, "checks": checks, "failed": failed, "serve": command})
        return
    width = max(len(check.name) for check in checked.checklist.checks)
    for check in checked.checklist.checks:
        _print_line(check, width)
    if command:
        stdout().print(plain(f"\nServe it with:\n{command}"), soft_wrap=True)


def _print_line(check: "Check", width: int) -> None:
    from rich.text import Text

    outcome = Text(f"{check.status:<11} ", _STYLES[check.status])
    line = Text.assemble(outcome, (f"{check.name:<{width}}  ", "bold"), plain(check.detail))
    stdout().print(line, soft_wrap=True)
