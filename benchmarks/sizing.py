"""What a million images take: calls, tokens, GPU hours, bytes of the databases. The table of docs/batch.md.

    python benchmarks/sizing.py [--images 1000000] [--model openai:Qwen/Qwen2.5-VL-7B-Instruct] [--pixels 1024]
        [--objects 15] [--prefill 20000] [--decode 4000] [--gpus 64] [--tables]

Calls and tokens are rehearsed with the real prompts. Bytes are measured: a scripted model with answers of the same
lengths analyses a few images into a workspace in a temporary folder, and the growth of each table is what an image
takes. The throughput of a GPU is not measured but assumed, for a model of 7 billion parameters in bfloat16 on one H100:
prefill at 40 % of 989 TFLOPS is 26,000 tokens a second (15 GFLOP a token), less the image encoder; decoding reads the
weights (15 GB) and the keys and values of 64 sequences (9 GB) at 3.35 TB a second for 64 tokens, half of which is
4,000 tokens a second. Measure your own servers and give --prefill and --decode.
"""

import argparse
import asyncio
import json
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image

from anomagent.batch import rehearsal
from anomagent.batch.loads import loads_from_rehearsal
from anomagent.batch.sizing import Throughput, database_bytes, gpu_hours
from anomagent.config import Schedule, Settings
from anomagent.graph.analyze import Analyzer
from anomagent.models.image_tokens import image_tokens, scaled_size
from anomagent.prompts import TEMPLATES
from anomagent.state.context import AnalysisContext

SCHEDULES: tuple[Schedule, ...] = ("paper", "lean", "direct")
LEDGER = ("calls", "call_claims")
"""Tables that lie in Postgres where several machines share a ledger."""
FEW, MORE = 2, 18
"""Images that are analysed for measuring; the difference leaves out what an empty database takes."""

LENGTHS = {
    "name": rehearsal.NAME,
    "description": rehearsal.DESCRIPTION,
    "observations": rehearsal.OBSERVATION,
    "phenomenon": rehearsal.ISSUE,
    "issue": rehearsal.ISSUE,
    "details": rehearsal.ISSUE,
    "explanation": rehearsal.EXPLANATION,
    "reasoning": rehearsal.EXPLANATION,
}


def reply_for(schema: dict[str, Any], objects: int) -> Any:
    """A valid reply of `schema` with lists and texts as long as the rehearsal assumes them."""
    counts = {"observations": rehearsal.OBSERVATIONS, "issues": rehearsal.FINDINGS, "report": 2 * rehearsal.FINDINGS}
    counts |= {"anomalies": rehearsal.ANOMALIES, "candidates": objects + rehearsal.ANOMALIES // 2}
    counts |= {"contradictions": 0, "dropped": 0}
    counts["objects"] = objects if schema["title"] == "ObjectList" else 1

    def fill(part: dict[str, Any], name: str, number: int) -> Any:
        part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
        if "enum" in part:
            return part["enum"][0]
        match part["type"]:
            case "object":
                return {key: fill(child, key, number) for key, child in part["properties"].items()}
            case "array":
                return [fill(part["items"], name, item) for item in range(counts.get(name, 1))]
            case "integer":
                return number + 1
            case _:
                return f"{number} {name} of what stands where it cannot stand ".ljust(400, "x")[: LENGTHS.get(name, 32)]

    return fill(schema, "", 0)


def script(path: Path, objects: int) -> str:
    """Write the scripted model's answers, and return its id."""
    rules = [
        {
            "role": template.role,
            "step": template.step,
            "says": [{"reply": reply_for(template.reply.strict_schema(), objects)}],
        }
        for template in TEMPLATES
    ]
    path.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    return f"fake:{path}"


async def analyse(folder: Path, schedule: Schedule, model: str, numbers: Sequence[int]) -> None:
    """Analyse small images that differ, keeping their checkpoints so that those can be measured too."""
    settings = Settings(workspace=folder / schedule, model=model, schedule=schedule, keep_history=True)
    async with Analyzer.open(settings) as analyzer:
        for number in numbers:
            path = folder / f"image-{number:04}.png"
            Image.new("RGB", (64, 64), (number, 0, 0)).save(path)
            await analyzer.analyze(path)


def bytes_by_table(database: Path) -> dict[str, int]:
    """Bytes of each table's pages with those of its indexes."""
    query = """
        SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY m.tbl_name"""
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute(query).fetchall())


def measure(folder: Path, schedule: Schedule, model: str) -> tuple[dict[str, float], float]:
    """Bytes of an image in each table of the workspace, and bytes of its checkpoints while it is being analysed."""
    sizes: list[dict[str, int]] = []
    for numbers in (range(FEW), range(FEW, MORE)):
        asyncio.run(analyse(folder, schedule, model, numbers))
        tables = bytes_by_table(folder / schedule / "anomagent.db")
        checkpoints = bytes_by_table(folder / schedule / "checkpoints.db")
        sizes.append(tables | {"checkpoints.db": sum(checkpoints.values())})
    growth = {table: (size - sizes[0].get(table, 0)) / (MORE - FEW) for table, size in sizes[1].items()}
    return growth, growth.pop("checkpoints.db")


def size(options: argparse.Namespace, schedule: Schedule, folder: Path, model: str) -> dict[str, str]:
    """One column of the table."""
    context = AnalysisContext(model=options.model, schedule=schedule, base_url=options.base_url)
    pixels = scaled_size(options.pixels, options.pixels, context.image_max_pixels)
    image = image_tokens(options.model, *pixels).tokens
    if image is None:
        raise SystemExit(f"{options.model}: no rule for its image tokens is known; choose another --model")
    (load,) = loads_from_rehearsal(context, lambda _: float(image), options.objects)
    gpu = Throughput(options.prefill, options.decode)
    hours = options.images * gpu_hours(load.input_tokens, load.cached_tokens, load.output_tokens, gpu)
    tables, checkpoints = measure(folder, schedule, model)
    rows = dict.fromkeys(tables, float(options.images))
    if options.tables:
        print(f"{schedule}, bytes an image:", ", ".join(f"{name} {n:,.0f}" for name, n in sorted(tables.items()) if n))
    ledger = database_bytes({name: tables.get(name, 0.0) for name in LEDGER}, rows)
    return {
        "calls": f"{options.images * load.calls / 1e6:,.1f} million",
        "input tokens": f"{options.images * load.input_tokens / 1e9:,.1f} billion",
        "of them cached at best": f"{load.cached_tokens / load.input_tokens:.0%}",
        "output tokens": f"{options.images * load.output_tokens / 1e9:,.1f} billion",
        "GPU hours": f"{hours:,.0f}",
        f"days on {options.gpus} GPUs": f"{hours / options.gpus / 24:,.1f}",
        "database, all in SQLite": f"{database_bytes(tables, rows) / 1e9:,.0f} GB",
        "of it the ledger (Postgres where shared)": f"{ledger / 1e9:,.0f} GB",
        f"checkpoints of {options.in_flight:,} images in flight": f"{options.in_flight * checkpoints / 1e9:,.2f} GB",
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--model", default="openai:Qwen/Qwen2.5-VL-7B-Instruct")
    parser.add_argument("--base-url", default="http://vllm:8000/v1")
    parser.add_argument("--pixels", type=int, default=1024, help="width and height of an image")
    parser.add_argument("--objects", type=int, default=rehearsal.PRIOR_OBJECTS, help="N, objects an image")
    parser.add_argument("--prefill", type=float, default=20_000, help="computed input tokens a second and GPU")
    parser.add_argument("--decode", type=float, default=4_000, help="output tokens a second and GPU")
    parser.add_argument("--gpus", type=int, default=64)
    parser.add_argument("--in-flight", type=int, default=1_000, help="images being analysed at once, over all machines")
    parser.add_argument("--tables", action="store_true", help="also print the bytes of an image in each table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = script(Path(name) / "script.json", options.objects)
        columns = [size(options, schedule, Path(name), model) for schedule in SCHEDULES]
    print(f"| {options.images:,} images | {' | '.join(SCHEDULES)} |")
    print(f"| --- |{' --: |' * len(SCHEDULES)}")
    for row in columns[0]:
        print(f"| {row} | {' | '.join(column[row] for column in columns)} |")


if __name__ == "__main__":
    main()
