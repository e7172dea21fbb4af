"""Two processes under torchrun train one adapter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from anomagent.finetune.config import as_toml
from anomagent.finetune.train import train
from tests.finetune.course import course_config, save_course

pytestmark = pytest.mark.slow


def torchrun(*words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `anomagent finetune train` in two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "anomagent", "finetune", "train", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen(command, start_new_session=True, **pipes) as running:
        try:
            return running.wait(240), *running.communicate()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


def test_two_processes_make_the_adapter_that_one_makes(tiny: Path, tmp_path: Path) -> None:
    """Two processes of 2 instances a pass see what one sees in 2 passes, and weigh its tokens alike."""
    course = save_course(tmp_path / "data", 8)
    held_out = save_course(tmp_path / "data", 3, name="val", first=50)
    options = [f"data.eval={held_out}", "training.epochs=1", "training.save_steps=1"]
    options += ["training.token_weighting=true", "lora.dropout=0"]
    (tmp_path / "config.toml").write_text(as_toml(course_config(tiny, course, tmp_path / "run", *options)))
    code, stdout, stderr = torchrun(str(tmp_path / "config.toml"), "--json")
    assert code == 0, stderr[-3000:]
    (line,) = stdout.splitlines()
    assert json.loads(line)["steps"] == 2
    assert json.loads((tmp_path / "run" / "run.json").read_text())["processes"] == 2
    checkpoint = {path.name for path in (tmp_path / "run" / "checkpoint-1").iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth", "adapter_model.safetensors"} <= checkpoint
    alone = train(course_config(tiny, course, tmp_path / "alone", *options, "training.accumulation=2"))
    assert json.loads(line)["metrics"]["eval_loss"] == pytest.approx(alone.metrics["eval_loss"], abs=1e-3)
    ours, theirs = (load_file(run / "adapter" / "adapter_model.safetensors") for run in (tmp_path / "run", alone.run))
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-4, rtol=1e-3)


def test_an_instance_that_only_the_second_process_looks_at_stops_both(tiny: Path, tmp_path: Path) -> None:
    course = save_course(tmp_path / "data", 4)
    (tmp_path / "data" / "1.png").unlink()
    (tmp_path / "config.toml").write_text(as_toml(course_config(tiny, course, tmp_path / "run")))
    code, _, stderr = torchrun(str(tmp_path / "config.toml"))
    assert code != 0
    told = {line for line in stderr.splitlines() if line.startswith("anomagent: ")}
    assert len(told) == 1, told
    assert "instance n1" in told.pop()
    assert not (tmp_path / "run").exists()
