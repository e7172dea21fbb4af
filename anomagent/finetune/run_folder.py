"""A run's folder: what was run, on what and with what, in files that say enough to run it again."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from anomagent.benchmark.files import whole_file
from anomagent.errors import ConfigurationError, UsageError
from anomagent.finetune.config import TrainConfig, as_toml
from anomagent.finetune.pixel_bounds import bounds_in_force
from anomagent.finetune.prepare import Prepared
from anomagent.finetune.processes import world_size
from anomagent.finetune.saving import checkpoints
from anomagent.finetune.tokens import FIRST_BOUND

CONFIG, RECORD, LOG, ADAPTER = "config.toml", "run.json", "log.jsonl", "adapter"
_PACKAGES = ("anomagent", "torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "bitsandbytes")


def open_run(config: TrainConfig, resume: bool) -> tuple[Path, Path | None]:
    """The run's folder and the checkpoint to go on from, if any.

    Raises `ConfigurationError` for a folder of another run, or one that is finished.
    """
    if config.out is None:
        raise ConfigurationError("out is missing: say where the run goes, with --out RUN")
    run = config.out
    if run.exists() and (not run.is_dir() or (any(run.iterdir()) and not (run / CONFIG).is_file())):
        raise ConfigurationError(f"{run}: is no folder of a run and not empty; choose another --out")
    if not (run / CONFIG).is_file():
        return run, None
    if (run / ADAPTER).exists():
        raise ConfigurationError(f"{run}: training is finished there, see {run / ADAPTER}; choose another --out")
    if not resume:
        raise ConfigurationError(f"{run}: holds a run; go on with --resume, or choose another --out")
    if (run / CONFIG).read_text(encoding="utf-8") != as_toml(config):
        raise ConfigurationError(
            f"{run}: was begun with another configuration; go on with that one:"
            f" anomagent finetune train {run / CONFIG} --resume"
        )
    return run, next(reversed(checkpoints(run)), None)


def write_record(run: Path, record: dict[str, Any], config: TrainConfig) -> None:
    """Write the configuration and the record of a run. Raises `UsageError` where the disk does not take them."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        with whole_file(run / CONFIG) as file:
            file.write_text(as_toml(config), encoding="utf-8")
        with whole_file(run / RECORD) as file:
            file.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{run}: cannot be written ({error.strerror}); choose another --out") from error


def record_of(prepared: Prepared, trainable: int, parameters: int) -> dict[str, Any]:
    """What makes a run reproducible, as its `run.json` has it."""
    config, training = prepared.config, prepared.config.training
    tokens = [one.tokens for one in prepared.measured]
    return {
        "started": _now(),
        "argv": sys.argv,
        "git": git_revision(),
        "python": sys.version.split()[0],
        "packages": _versions(),
        "seed": training.seed,
        "processes": world_size(),
        "base": {"name": prepared.base.name, "revision": prepared.base.revision},
        "chat_template_sha256": _text_hash(prepared.inputs.template),
        "pixel_bounds": bounds_in_force(prepared.inputs),
        "first_bound": FIRST_BOUND,
        "probe_image_tokens": prepared.probes,
        "lora_modules": prepared.modules,
        "trainable_parameters": trainable,
        "parameters": parameters,
        "data": data_record(config),
        "images_sha256": images_hash(row.instance.sha256 for row in prepared.train),
        "instances": len(prepared.train),
        "images": len({row.instance.sha256 for row in prepared.train}),
        "eval_instances": len(prepared.eval),
        "tokens": {"all": sum(tokens), "longest": max(tokens), "learned": sum(m.learned for m in prepared.measured)},
        "steps": prepared.steps,
    }


def finished(record: dict[str, Any], metrics: dict[str, float], steps: int, vision: str) -> dict[str, Any]:
    """The record of a run that reached its end. `vision`: hash of the vision tower, before and after."""
    return {**record, "finished": _now(), "steps_done": steps, "metrics": metrics, "vision_sha256": vision}


def data_record(config: TrainConfig) -> dict[str, Any]:
    """SHA-256 of every file of instances, and the report of `anomagent finetune data` where it lies beside them."""
    files = [*config.data.train, *([config.data.eval] if config.data.eval else [])]
    reports = {str(path): _report(path) for path in dict.fromkeys(file.parent / "data.json" for file in files)}
    return {
        "files": {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "reports": {name: report for name, report in reports.items() if report is not None},
    }


def check_same_data(run: Path, record: dict[str, Any]) -> None:
    """Raises `UsageError` where a run would go on with other data or another base model than it began with."""
    try:
        before: dict[str, Any] = json.loads((run / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{run / RECORD}: cannot be read ({error}); begin anew with another --out") from error
    for what, same in {
        "data files": before["data"]["files"] == record["data"]["files"],
        "base model": before["base"] == record["base"],
        "number of processes": before["processes"] == record["processes"],
    }.items():
        if not same:
            raise UsageError(f"{run}: the {what} changed since the run began; begin anew with another --out")


def images_hash(hashes: Iterable[str]) -> str:
    """SHA-256 over the sorted list of the images' hashes."""
    return _text_hash("\n".join(sorted(set(hashes))))


def git_revision() -> str | None:
    """The commit of the checkout that this package runs from, "+changes" where files differ; None outside of one."""
    here = Path(__file__).parents[1]
    revision = _git(here, "rev-parse", "HEAD")
    if revision is None or not _git(here, "ls-files", "__init__.py"):
        return None
    return revision + ("+changes" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *words: str) -> str | None:
    command: Sequence[str] = ("git", "-C", str(folder), *words)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _report(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
