"""Whether a served adapter is the adapter: the same tokens of questions and pictures, other answers than the base's."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from anomagent.errors import BadRequest, ConfigurationError, ModelError, UsageError
from anomagent.finetune.serving.bases import Base
from anomagent.finetune.serving.bounds import Bounds, pixel_bounds
from anomagent.finetune.serving.check import Checked
from anomagent.finetune.serving.checklist import NotChecked
from anomagent.finetune.serving.probes import Local, Probe, answer_probes, inputs_of, size_probes, text_probe
from anomagent.finetune.serving.served import Served, ask_adapter, ask_base
from anomagent.models.image_tokens import qwen_cells
from anomagent.models.qwen_inputs import QwenInputs

SLACK: Final = 0.75
"""How far a served answer may lie behind the local choice in logits: servers round and batch otherwise."""
_RECIPE = Bounds(50_176, 614_656)
"""The paper's, for servers of adapters that store none."""
_MARKS = 2
"""Tokens around a picture's own."""
_USUAL: Final = (("Qwen2.5-VL's usual bounds", 3_136, 12_845_056), ("the processor's own defaults", 3_136, 1_003_520))


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server and its names for the adapter and the base."""

    base_url: str
    model: str
    base_model: str | None = None


def check_address(base_url: str) -> None:
    """Raises `ConfigurationError` for a URL that is none, before anything is loaded."""
    try:
        parts = urlsplit(base_url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError("--base-url is no URL of a server; give it as http://HOST:PORT/v1")


async def check_endpoint(endpoint: Endpoint, checked: Checked) -> None:
    """Add the checks of a server to those of the adapter. Raises `ConfigurationError` for a URL that is none.

    What the adapter's own checks found is needed: its bounds, its base, and base and adapter in memory for the last.
    """
    base, images, bounds, look = checked.base, checked.images, checked.bounds, checked.checklist.look
    ours = None if base is None or images is None else inputs_of(base, images)
    with tempfile.TemporaryDirectory(prefix="anomagent-check-") as folder:
        sizes = size_probes(Path(folder), bounds or _RECIPE)
        answers = answer_probes(Path(folder))
        served = await ask_adapter(endpoint.base_url, endpoint.model, sizes, answers)
        other = await ask_base(endpoint.base_url, endpoint.base_model, answers) if endpoint.base_model else None
        up = (look("server", _server, served),)
        look("served prompt", _prompt, served, ours, after=up)
        look("served bounds", _bounds, served, sizes, ours, base, bounds, after=up)
        look("served adapter", partial(_differs, base=other, model=checked.model), served, answers, after=up)
        look("served answers", partial(_agrees, model=checked.model), served, answers, after=up)


def _server(served: Served) -> tuple[bool, str]:
    if error := served.error:
        hint = "; is it a name of --lora-modules at this server?" if isinstance(error, BadRequest) else ""
        raise UsageError(f"{served.name}: {error}{hint}")
    return True, f"answers as {served.name}"


def _prompt(served: Served, ours: QwenInputs) -> tuple[bool, str]:
    """Whether the question without a picture has as many tokens there as here."""
    theirs, own = served.text_tokens, len(ours.of(text_probe()).ids)
    if not isinstance(theirs, int):
        raise NotChecked("the server reports no prompt tokens")
    if theirs != own:
        raise UsageError(
            f"the question has {theirs} tokens there, {own} here: another chat template, system text or tokenizer;"
            " serve the base's own (no --chat-template)"
        )
    return True, f"the question has {own} tokens there and here"


def _bounds(served: Served, probes: Sequence[Probe], ours: QwenInputs, base: Base, bounds: Bounds) -> tuple[bool, str]:
    """Whether pictures below, within and above the bounds take as many tokens there as here."""
    text = served.text_tokens
    if not isinstance(text, int) or None in served.image_tokens:
        raise NotChecked("the server reports no prompt tokens")
    asked = list(zip(probes, served.image_tokens, strict=True))
    if error := next((count for _, count in asked if isinstance(count, ModelError)), None):
        raise UsageError(f"the server refused a picture: {error}; start it with {_option(bounds)} and room for one")
    own = [ours.cells_of_size(*probe.size) for probe in probes]
    theirs = [count - text - _MARKS for _, count in asked if isinstance(count, int)]
    wrong = [n for n, (here, there) in enumerate(zip(own, theirs, strict=True)) if here != there]
    if not wrong:
        return True, f"pictures take {', '.join(map(str, own))} tokens there and here ({bounds})"
    extra = {there - here for here, there in zip(own, theirs, strict=True)}
    if len(set(own)) > 1 and len(extra) == 1:
        raise UsageError(
            f"every picture takes {extra.pop():+} tokens there, of any size: the chat template there puts other marks"
            " around pictures; serve the base's own (no --chat-template)"
        )
    first = wrong[0]
    raise UsageError(
        f"a picture of {probes[first].name} takes {theirs[first]} tokens there, {own[first]} here ({bounds});"
        f" the server seems to use {_seeming(probes, theirs, ours, base)}: start it with {_option(bounds)}, or serve a"
        " merged model, whose folder holds the bounds"
    )


def _differs(served: Served, probes: Sequence[Probe], *, base: Served | None, model: Local | None) -> tuple[bool, str]:
    """Whether the adapter's name answers otherwise than the base's."""
    if base is None:
        raise NotChecked("give --base-model, the base's name at this server")
    if error := base.error:
        raise UsageError(f"{base.name}: {error}; is it the base's name at this server?")
    differing = sum(one != other for one, other in zip(served.answers, base.answers, strict=True))
    if not differing and model and all(model.text(model.answer(p.request)) == model.plain(p.request) for p in probes):
        raise NotChecked("here, too, base and adapter answer all probes alike: the adapter is too weak to show in them")
    if not differing:
        raise UsageError(
            f"{served.name} and {base.name} answer the same to all probes: the adapter is not applied; start the server"
            " with --enable-lora and --lora-modules, and look for LoRA warnings in its log"
        )
    if not (served.steady and base.steady):
        raise NotChecked("the server does not answer the same question twice alike at temperature 0")
    return True, f"{differing} of {len(base.answers)} answers differ from {base.name}'s"


def _agrees(served: Served, probes: Sequence[Probe], *, model: Local | None) -> tuple[bool, str]:
    """Whether the answers are those of base and adapter here, up to rounding."""
    if model is None:
        raise NotChecked("base and adapter are not in memory here")
    if not any(answer for answer in served.answers):
        raise NotChecked("the server's answers are empty")
    gaps: list[float] = []
    for probe, said in zip(probes, served.answers, strict=True):
        assert isinstance(said, str)
        here = model.text(model.answer(probe.request))
        gap = 0.0 if said == here else model.gap(probe.request, said)
        if gap > SLACK:
            raise UsageError(
                f"to probe {probe.name} the server says {_start(said)}, base and adapter here {_start(here)}:"
                " another adapter, base or quantisation is served; compare the paths in its start command"
            )
        gaps.append(gap)
    equal = sum(not gap for gap in gaps)
    return True, f"{equal} of {len(gaps)} answers are those given here, the others within rounding ({max(gaps):.2g})"


def _seeming(probes: Sequence[Probe], theirs: Sequence[int], ours: QwenInputs, base: Base) -> str:
    """The bounds that explain the server's counts, in words."""
    cell = int(ours.image_processor.patch_size * ours.image_processor.merge_size)
    for words, least, most in (*_own_of(base), *_USUAL):
        counts = [qwen_cells(*probe.size, cell=cell, least=least, most=most) for probe in probes]
        if counts == list(theirs):
            return f"{words} ({least:,} to {most:,} pixels)"
    low, high = min(theirs) * cell**2, max(theirs) * cell**2
    return f"other bounds (these pictures became {low:,} to {high:,} pixels)"


def _own_of(base: Base) -> list[tuple[str, int, int]]:
    try:
        own = pixel_bounds(base.directory)
    except UsageError:
        return []
    return [("the base's own bounds", own.least, own.most)]


def _option(bounds: Bounds) -> str:
    return f"--mm-processor-kwargs '{json.dumps(bounds.options(), separators=(',', ':'))}'"


def _start(text: str) -> str:
    return repr(text[:40])
