"""What the orchestration adds to the models' own time: one image, 10 objects, a local server with slow answers.

    python benchmarks/orchestration.py [--objects 10] [--latency 0.1] [--images 5]

The schedule `paper` is nine calls deep however many objects there are, so nine answers in a row are the ideal. Prints
the wall time over that ideal, the processor time of this process per call (the server runs in a process of its own) and
what the checkpoints take. The same is done with a model inside this process, which shows the HTTP client's share.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import socket
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from anomagent.config import Settings
from anomagent.graph.analyze import Analyzer
from anomagent.prompts import TEMPLATES

DEPTH = 9


def reply_for(schema: dict[str, Any], objects: int) -> Any:
    """A valid reply of `schema`: one entry in each list, `objects` entries where objects are listed."""

    def fill(part: dict[str, Any]) -> Any:
        part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
        if "enum" in part:
            return part["enum"][0]
        match part["type"]:
            case "object":
                return {name: fill(child) for name, child in part["properties"].items()}
            case "array":
                return [fill(part["items"])]
            case "integer":
                return 1
            case _:
                return "a short sentence of about the usual length about what is seen here"

    reply = fill(schema)
    if schema["title"] == "ObjectList":
        reply["objects"] = [{"name": "cup", "description": f"cup number {n} from the left"} for n in range(objects)]
    return reply


def serve(port: int, latency: float, objects: int) -> None:
    """An OpenAI-compatible server that answers every request after `latency` seconds."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def complete(request: Request) -> JSONResponse:
        arrived = time.monotonic()
        body = await request.json()
        text = json.dumps(reply_for(body["response_format"]["json_schema"]["schema"], objects))
        await asyncio.sleep(max(0.0, latency - (time.monotonic() - arrived)))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        return JSONResponse(
            {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
        )

    app = Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def stored_bytes(path: Path) -> int:
    """Bytes of all values in a checkpoint database."""
    with sqlite3.connect(path) as database:
        total = 0
        for table in ("checkpoints", "writes"):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            lengths = "+".join(f"coalesce(length({column}), 0)" for column in columns)
            total += database.execute(f"SELECT coalesce(sum({lengths}), 0) FROM {table}").fetchone()[0]
        return total


async def measure(
    model: str, url: str | None, folder: Path, images: int, keep_history: bool = True
) -> list[tuple[float, float, int]]:
    """Wall seconds, processor seconds and calls for each image; the first warms up and does not count."""
    workspace = folder / f"{model.partition(':')[0]}-{keep_history}"
    settings = Settings(model=model, base_url=url, workspace=workspace, concurrency=64, keep_history=keep_history)
    rows: list[tuple[float, float, int]] = []
    async with Analyzer.open(settings) as analyzer:
        for number in range(images + 1):
            path = folder / f"{number}.png"
            Image.effect_noise((512, 512), 20 + number).save(path)
            wall, cpu = time.perf_counter(), _cpu()
            analysis = await analyzer.analyze(path)
            rows.append((time.perf_counter() - wall, _cpu() - cpu, analysis.usage.calls))
            assert analysis.status == "ok", analysis.failures
    return rows[1:]


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds of each answer")
    parser.add_argument("--images", type=int, default=5)
    options = parser.parse_args()
    os.environ.setdefault("OPENAI_API_KEY", "none")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(port, options.latency, options.objects), daemon=True
    )
    server.start()
    try:
        _wait_for(port)
        with tempfile.TemporaryDirectory() as folder:
            script = write_script(Path(folder), options.latency, options.objects)
            for model, url in ((f"fake:{script}", None), ("openai:local", f"http://127.0.0.1:{port}/v1")):
                rows = asyncio.run(measure(model, url, Path(folder), options.images))
                asyncio.run(measure(model, url, Path(folder), 1, keep_history=False))
                name = model.partition(":")[0]
                running = stored_bytes(Path(folder) / f"{name}-True" / "checkpoints.db") / (options.images + 1)
                finished = stored_bytes(Path(folder) / f"{name}-False" / "checkpoints.db") / 2
                report(model, rows, options.latency, running, finished)
    finally:
        server.terminate()
        server.join()


def write_script(folder: Path, latency: float, objects: int) -> Path:
    """The same answers as a script of the fake model."""
    rules = [
        {
            "role": template.role,
            "step": template.step,
            "delay": latency,
            "says": [{"reply": reply_for(template.reply.strict_schema(), objects)}],
        }
        for template in TEMPLATES
    ]
    path = folder / "script.json"
    path.write_text(json.dumps({"rules": rules}))
    return path


def report(model: str, rows: list[tuple[float, float, int]], latency: float, running: float, finished: float) -> None:
    """One line a figure."""
    ideal, walls = DEPTH * latency, [wall for wall, _, _ in rows]
    where = "over HTTP" if model.startswith("openai") else "in this process"
    print(f"model {where}: {rows[0][2]} calls an image, answers after {latency:.3f} s, {len(rows)} images")
    print(f"  wall                {statistics.median(walls):.3f} s (min {min(walls):.3f}, max {max(walls):.3f})")
    print(f"  wall / ideal        {statistics.median(walls) / ideal:.2f}   (ideal {ideal:.3f} s)")
    print(f"  processor per call  {1e3 * statistics.median(cpu / calls for _, cpu, calls in rows):.2f} ms")
    print(f"  checkpoints         {running / 1e3:.0f} KB an image while it runs, {finished / 1e3:.0f} KB once finished")


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the local server did not start")


if __name__ == "__main__":
    main()
