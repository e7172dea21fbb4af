"""May a batch begin? What it would ask must be what the workspace's last batch asked, unless the user decides."""

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from anomagent import __version__
from anomagent.config import Settings
from anomagent.errors import ConfigurationError
from anomagent.models.prices import Prices
from anomagent.state.context import AnalysisContext, roles_of
from anomagent.store import Workspace
from anomagent.store.runs import StoredRun, read_last_run

COMMAND: Final = "batch"
"""What runs of batches are called in the store."""

UNCHANGED: Final = "--new-run changed nothing: the settings are those of the last batch, and what is finished stays"
"""Said where a gate turns out to be `needless`."""

Change = Literal["refuse", "new run", "retry"]


class Gate:
    """What to do where the configuration is another one than that of the last batch: refuse, start anew, or go on.

    "new run": every image is analysed under the new configuration. "retry": the finished results of the earlier one are
    kept, and batches of the new one count them as done from now on.
    """

    def __init__(self, change: Change = "refuse") -> None:
        self._change = change
        self.keeps: tuple[str, ...] = ()
        """Hashes of earlier configurations whose finished results count."""
        self.needless = False
        """Whether a new run was asked for and nothing has changed."""

    def look(self, workspace: Workspace, configuration: str) -> bool:
        """As `admit`, for an estimate: find out what is kept; returns False where `admit` would refuse the batch."""
        last = read_last_run(workspace, COMMAND)
        if last is None:
            return True
        changed, earlier = last.config_hash != configuration, cast(list[str], _batch(last).get("keeps", []))
        if self._change == "new run":
            self.needless = not changed and not earlier
        elif not changed or self._change == "retry":
            self.keeps = tuple(dict.fromkeys(one for one in (last.config_hash, *earlier) if one != configuration))
        return not changed or self._change != "refuse"

    def admit(
        self, workspace: Workspace, configuration: str, options: Mapping[str, Any], models: Mapping[str, str]
    ) -> dict[str, Any]:
        """What is to be stored with the run, for the next comparison; `models` are the models' identities by role.

        Raises `ConfigurationError` that says what has changed.
        """
        last = read_last_run(workspace, COMMAND)
        details = {"version": __version__, "models": dict(models)}
        if not self.look(workspace, configuration) and last:
            changes = "; ".join(_changes(last, options, details)) or "the prompts"
            raise ConfigurationError(
                f"workspace {workspace.path}: its last batch had another configuration ({changes}); choose --new-run"
                " (analyse everything under the new one) or --retry (keep finished results, analyse what is missing"
                " or failed)"
            )
        return {COMMAND: {**details, "keeps": list(self.keeps)}}


def unpriced_model(settings: Settings) -> str | None:
    """The first model whose price is unknown; None where all are known. Raises `ConfigurationError` for a bad table."""
    context, prices = AnalysisContext(**settings.options), Prices.load(settings.prices)
    models = map(context.model_for, roles_of(context.schedule))
    servers = ((model, context.base_url if model.startswith("openai:") else None) for model in models)
    return next((model for model, server in servers if prices.of(model, server) is None), None)


def _changes(last: StoredRun, options: Mapping[str, Any], details: Mapping[str, Any]) -> list[str]:
    """What is different now, as "schedule: paper -> lean". What lies behind unchanged names comes last."""
    before = _batch(last)
    settings = {name: value for name, value in last.config.items() if name != COMMAND}
    version = _differences({"version": before.get("version")}, {"version": details["version"]})
    known = cast(dict[str, str], before.get("models", {}))
    both = known.keys() & cast(dict[str, str], details["models"]).keys()
    models = {f"model behind {role}": (known[role], details["models"][role]) for role in sorted(both)}
    return (
        _differences(settings, options)
        or version
        or _differences(
            {role: one for role, (one, _) in models.items()}, {role: one for role, (_, one) in models.items()}
        )
    )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {_shown(before.get(name))} -> {_shown(now.get(name))}"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name)
    ]


def _shown(value: object) -> str:
    return "unset" if value is None else str(value)


def _batch(run: StoredRun) -> dict[str, Any]:
    return cast(dict[str, Any], run.config.get(COMMAND) or {})
