"""Served adapters: a server on the loopback that serves the adapter, or something that only looks like it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from anomagent.errors import ConfigurationError
from anomagent.finetune.serving.bounds import Bounds
from anomagent.finetune.serving.check import Checked, check_adapter
from anomagent.finetune.serving.checklist import Checklist
from anomagent.finetune.serving.endpoint import Endpoint, check_endpoint
from anomagent.finetune.serving.probes import size_probes
from tests.finetune.serving.vllm import VLLM
from tests.models.server import Server, fails

NAMES = ["server", "served prompt", "served bounds", "served adapter", "served answers"]


@pytest.fixture(scope="module")
def _one(embedded_adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[VLLM, Checked]:
    vllm = VLLM.of("embedded", embedded_adapter, tmp_path_factory.mktemp("received"))
    checked = check_adapter(embedded_adapter, "embedded", load=False)
    assert not checked.checklist.failed
    return vllm, replace(checked, model=vllm.model)


@pytest.fixture
def vllm(_one: tuple[VLLM, Checked], server: Server) -> VLLM:
    """The server's script, a fresh copy."""
    server.script = fresh = replace(_one[0])
    return fresh


@pytest.fixture
def checked(_one: tuple[VLLM, Checked]) -> Checked:
    """What the checks of the adapter itself found, base and adapter in memory; to be added to."""
    return replace(_one[1], checklist=Checklist())


async def _check(server: Server, checked: Checked, model: str = "ours", base: str | None = "base") -> dict[str, str]:
    await check_endpoint(Endpoint(server.url, model, base), checked)
    return {check.name: check.status for check in checked.checklist.checks}


def _detail(checked: Checked, name: str) -> str:
    return next(check.detail for check in checked.checklist.checks if check.name == name)


async def test_the_adapter_is_served(server: Server, vllm: VLLM, checked: Checked) -> None:
    assert await _check(server, checked) == dict.fromkeys(NAMES, "ok")
    # 28,124 to 28,424 pixels in cells of 28 x 28. The small square, 101 x 101, grows by sqrt(28124 / 101^2) = 1.66 to
    # 168 x 168, that is 6 x 6 cells; the wide ones shrink to whole cells within 28,424 pixels.
    assert "pictures take 36, 28, 30 tokens there and here" in _detail(checked, "served bounds")
    assert "3 of 3 answers are those given here" in _detail(checked, "served answers")


@dataclass(frozen=True)
class Case:
    id: str
    set_up: Callable[[VLLM], object]
    failed: set[str]
    says: str
    not_checked: frozenset[str] = frozenset()


def _set(**values: object) -> Callable[[VLLM], None]:
    def change(vllm: VLLM) -> None:
        for name, value in values.items():
            setattr(vllm, name, value)

    return change


CASES = (
    Case("usual bounds", lambda v: v.with_bounds(3136, 12_845_056), {"served bounds"}, "Qwen2.5-VL's usual bounds"),
    Case("other bounds", lambda v: v.with_bounds(50_176, 614_656), {"served bounds"}, "other bounds"),
    Case("not applied", _set(applies=False), {"served adapter", "served answers"}, "the adapter is not applied"),
    Case("another template", _set(extra=7), {"served prompt"}, "another chat template"),
    Case("another adapter", _set(says="Two birds."), {"served answers"}, "another adapter, base or quantisation"),
    Case("a picture's mark", _set(says="<|image_pad|>"), {"served answers"}, "says '<|image_pad|>'"),
    Case("no room", _set(narrow=True), {"served bounds"}, "refused a picture"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_what_is_not_the_adapter(server: Server, vllm: VLLM, checked: Checked, case: Case) -> None:
    case.set_up(vllm)
    outcomes = await _check(server, checked)
    assert {name for name, status in outcomes.items() if status == "failed"} == case.failed
    assert {name for name, status in outcomes.items() if status == "not checked"} == case.not_checked
    assert case.says in " ".join(check.detail for check in checked.checklist.checks if check.status == "failed")


async def test_wrong_bounds_say_what_to_do(server: Server, vllm: VLLM, checked: Checked) -> None:
    vllm.with_bounds(3136, 12_845_056)
    await _check(server, checked)
    detail = _detail(checked, "served bounds")
    assert '--mm-processor-kwargs \'{"min_pixels":28124,"max_pixels":28424}\'' in detail
    assert "or serve a merged model" in detail


async def test_the_bases_own_bounds_are_recognised(
    server: Server, vllm: VLLM, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The adapter was trained within 3,136 to 12,544 pixels, the server keeps to the base's."""
    from anomagent.finetune.serving.probes import inputs_of

    other = replace(checked, bounds=Bounds(3136, 12_544))
    ours = inputs_of(vllm.base, vllm.base.directory)
    ours.image_processor.size = {"shortest_edge": 3136, "longest_edge": 12_544}
    monkeypatch.setattr("anomagent.finetune.serving.endpoint.inputs_of", lambda *_: ours)
    outcomes = await _check(server, other)
    assert outcomes["served bounds"] == "failed"
    assert "the base's own bounds (28,124 to 28,424 pixels)" in _detail(other, "served bounds")


async def test_marks_around_pictures(server: Server, vllm: VLLM, checked: Checked) -> None:
    vllm.marks = 1
    assert (await _check(server, checked))["served bounds"] == "failed"
    assert "+1 tokens there, of any size" in _detail(checked, "served bounds")


async def test_a_server_that_counts_nothing(server: Server, vllm: VLLM, checked: Checked) -> None:
    vllm.counts = False
    outcomes = await _check(server, checked)
    assert (outcomes["served prompt"], outcomes["served bounds"]) == ("not checked", "not checked")
    assert (outcomes["served adapter"], outcomes["served answers"]) == ("ok", "ok")


async def test_a_server_that_wavers(server: Server, vllm: VLLM, checked: Checked) -> None:
    vllm.wavers = True
    assert (await _check(server, checked))["served adapter"] == "not checked"
    assert "twice alike" in _detail(checked, "served adapter")


async def test_without_the_bases_name_and_without_weights(server: Server, vllm: VLLM, checked: Checked) -> None:
    outcomes = await _check(server, replace(checked, model=None), base=None)
    assert outcomes == dict.fromkeys(NAMES[:3], "ok") | dict.fromkeys(NAMES[3:], "not checked")
    assert "give --base-model" in _detail(checked, "served adapter")


async def test_an_adapter_too_weak_to_show(
    server: Server, vllm: VLLM, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    vllm.applies = False
    monkeypatch.setattr(vllm.model, "answer", lambda request: [8, 9])
    assert (await _check(server, checked))["served adapter"] == "not checked"
    assert "too weak to show" in _detail(checked, "served adapter")


async def test_an_adapter_without_bounds(server: Server, vllm: VLLM, checked: Checked) -> None:
    assert (await _check(server, replace(checked, bounds=None)))["served bounds"] == "not checked"


async def test_a_name_that_the_server_does_not_know(server: Server, vllm: VLLM, checked: Checked) -> None:
    outcomes = await _check(server, checked, model="other")
    assert outcomes == {"server": "failed"} | dict.fromkeys(NAMES[1:], "not checked")
    assert "is it a name of --lora-modules" in _detail(checked, "server")


async def test_a_base_that_the_server_does_not_know(server: Server, vllm: VLLM, checked: Checked) -> None:
    outcomes = await _check(server, checked, base="other")
    assert outcomes["served adapter"] == "failed"
    assert "is it the base's name" in _detail(checked, "served adapter")


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_server_that_fails(
    server: Server, checked: Checked, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    server.script = [fails(status, "no: sk-very-secret-key")]
    assert (await _check(server, checked))["server"] == "failed"
    assert server.asked[0].headers["authorization"] == "Bearer sk-very-secret-key"
    assert "sk-very" not in _detail(checked, "server")


async def test_an_address_that_is_none(checked: Checked) -> None:
    with pytest.raises(ConfigurationError, match="is no URL of a server"):
        await check_endpoint(Endpoint("localhost", "ours"), checked)


def test_probes_lie_below_between_and_above_the_bounds(tmp_path: Path) -> None:
    sizes = [width * height for width, height in (p.size for p in size_probes(tmp_path, Bounds(50_176, 614_656)))]
    assert sizes[0] < 50_176 < sizes[1] < 614_656 < sizes[2]
    # Nothing above 2048 x 2048 pixels is asked about, whatever the bounds are.
    assert max(p.size[0] * p.size[1] for p in size_probes(tmp_path, Bounds(4, 10**9))) <= 2048**2 * 1.01
