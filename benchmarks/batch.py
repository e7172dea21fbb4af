"""What a batch adds to the models' own time: wall time, processor and memory; and what barriers and kills would add.

    python benchmarks/batch.py [--only throughput memory stages] [--seconds 60] [--images 1000 10000] [--latency 0.5]

throughput   a local server in a process of its own; 8, 32 and 128 calls in flight (--concurrency). The ideal is calls x
             latency / concurrency, at least the depth of one image; --seconds of it, so many images are drawn.
memory       peak over 1,000 and 10,000 tiny images (--images), schedule `direct`, a model that answers at once.
stages       also with a barrier after each step, over all images, and only results of finished images kept: no ledger,
             no checkpoints, no validation. The HTTP client is the same, the prompts are rehearsed ones, the n-th
             request of a run waits as long in both ways: evenly, then log-normally with the same mean (--sigma).
             Steps that do not need each other share a barrier. Then both are killed halfway and run again.

Every measurement has a process of its own. "processor" is its use of one core, "kept off" the share of the time in
which its main thread could have run and got no core (Linux): together above 0.9 the processor was the limit. The
defaults take half an hour; --seconds 15 --images 200 2000 takes ten minutes.
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, cast

from orchestration import reply_for
from PIL import Image

from anomagent.batch.local import LocalEngine
from anomagent.batch.rehearsal import Rehearsed, rehearse
from anomagent.batch.runner import run_batch
from anomagent.benchmark.items import gather
from anomagent.config import load_settings
from anomagent.models.fake import FakeModel
from anomagent.models.registry import resolve
from anomagent.models.types import Request
from anomagent.state.context import AnalysisContext
from anomagent.store import Workspace

SPAWN = multiprocessing.get_context("spawn")
ARRIVED, ANSWERED, SIGMA, PORT = range(4)
"""What is shared with the server: requests and answers so far, how uneven it is to be, and where it listens."""


def wait_of(number: int, latency: float, sigma: float) -> float:
    """Seconds that the request of this number waits."""
    return Random(f"seed {number}").lognormvariate(math.log(latency) - sigma**2 / 2, sigma)


def serve(latency: float, objects: int, shared: Any) -> None:
    """An OpenAI-compatible server."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                begun, length = time.monotonic(), int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                schema = json.loads(await reader.readexactly(length))["response_format"]["json_schema"]["schema"]
                due = begun + wait_of(int(shared[ARRIVED]), latency, shared[SIGMA])
                shared[ARRIVED] += 1
                message = {"role": "assistant", "content": json.dumps(reply_for(schema, objects))}
                choice = {"index": 0, "finish_reason": "stop", "message": message}
                about = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
                body = json.dumps({**about, "choices": [choice]}).encode()
                await asyncio.sleep(due - time.monotonic())
                shared[ANSWERED] += 1
                line = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
                writer.write(line + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(converse, "127.0.0.1", backlog=1024)
        shared[PORT] = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(listen())


@dataclass(frozen=True)
class Run:
    """One measurement, in seconds; `first` until the first image was finished, `peak` in bytes."""

    images: int
    calls: int
    wall: float
    cpu: float
    kept_off: float
    first: float
    peak: int

    def report(self, title: str, ideal: float) -> None:
        limit = ": THE PROCESSOR WAS THE LIMIT" if self.cpu + self.kept_off > 0.9 * self.wall else ""
        print(f"{title}: {self.images:,} images, {self.calls:,} calls; load {os.getloadavg()[0]:.1f}")
        over = f"{self.wall / ideal:.3f}" if ideal else "(no latency)"
        print(f"  wall / ideal      {over}  ({self.wall:.1f} s), first image after {self.first:.1f} s")
        print(f"  processor         {self.cpu / self.wall:.2f}, kept off {self.kept_off / self.wall:.2f}{limit}")
        print(f"  an image, a call  {1e3 * self.cpu / self.images:.1f} ms, {1e3 * self.cpu / self.calls:.1f} ms")
        print(f"  peak memory       {self.peak / 1e6:.1f} MB", flush=True)


def measure(work: Callable[[Callable[..., None]], Coroutine[Any, Any, tuple[int, int]]]) -> Run:
    """Run `work`, which gives images and calls and calls its argument when an image is finished."""
    import_module("anomagent.models.openai_chat")  # a second of imports that no batch is to be charged with

    first: list[float] = []
    started, cpu, off = time.perf_counter(), time.process_time(), _kept_off()
    images, calls = asyncio.run(work(lambda *_: None if first else first.append(time.perf_counter() - started)))
    wall, cpu, off = time.perf_counter() - started, time.process_time() - cpu, _kept_off() - off
    return Run(images, calls, wall, cpu, off, first[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def _kept_off() -> float:
    waits = Path("/proc/thread-self/schedstat")
    return int(waits.read_text().split()[1]) / 1e9 if waits.exists() else 0.0


def ours(images: Path, flags: dict[str, Any]) -> Run:
    """What `anomagent batch` does, without its display."""
    forgetful = deque[Request](maxlen=0)  # what a scripted model was asked is no memory of the batch's
    FakeModel.from_file = lambda path: FakeModel(requests=cast(Any, forgetful))  # pyright: ignore[reportAttributeAccessIssue]

    async def work(finished: Callable[..., None]) -> tuple[int, int]:
        tally = await run_batch(load_settings(**flags), gather([images]), LocalEngine(), on_analysis=finished)
        assert tally.exit_code == 0, tally.as_dict()
        return tally.done, tally.usage.calls

    return measure(work)


def barriers(images: Path, flags: dict[str, Any], steps: list[list[Rehearsed]]) -> Run:
    """The calls of `steps` about all images with a barrier after each step; a file notes the finished images."""
    settings = load_settings(**flags)
    settings.workspace.mkdir(exist_ok=True)
    results = settings.workspace / "results"
    results.touch()

    async def work(finished: Callable[..., None]) -> tuple[int, int]:
        client = await asyncio.to_thread(resolve, settings.model, base_url=settings.base_url)
        places = asyncio.Semaphore(settings.concurrency)
        kept = set(results.read_text().splitlines())
        todo = [image for image in sorted(images.iterdir()) if image.name not in kept]

        async def ask(image: Path, call: Rehearsed) -> None:
            async with places:
                room, pixels = settings.max_tokens, settings.image_max_pixels
                await client.complete(Request(call.prompt, str(image), image.name, pixels, room, None, slot=call.slot))

        async def finish(image: Path) -> None:
            await asyncio.gather(*(ask(image, call) for call in steps[-1]))
            with results.open("a") as file:
                file.write(f"{image.name}\n")
            finished()

        for step in steps[:-1]:
            await asyncio.gather(*(ask(image, call) for image in todo for call in step))
        await asyncio.gather(*map(finish, todo))
        return len(todo), len(todo) * sum(map(len, steps))

    return measure(work)


class Bench:
    """The measurements, and what they share."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder, self.shared = options, folder, SPAWN.RawArray("d", 4)
        SPAWN.Process(target=serve, args=(options.latency, options.objects, self.shared), daemon=True).start()
        wait_until(lambda: self.shared[PORT] > 0)
        context = AnalysisContext(**load_settings(schedule=options.schedule).options)
        calls = rehearse(context, options.objects)
        self.steps, self.each = [list(step) for _, step in groupby(calls, _step)], len(calls)

    def begin(self, concurrency: int, sigma: float = 0.0, **flags: Any) -> dict[str, Any]:
        """Settings of a run in a new workspace; the server begins anew, when its last answers are out."""
        self.settle()
        self.shared[:] = [0, 0, sigma, self.shared[PORT]]
        url, workspace = f"http://127.0.0.1:{self.shared[PORT]:.0f}/v1", tempfile.mkdtemp(dir=self.folder)
        common = {"model": "openai:local", "schedule": self.options.schedule, "retries": 0, "base_url": url}
        return {**common, "workspace": Path(workspace), "concurrency": concurrency, **flags}

    def draw(self, number: int, side: int = 512) -> Path:
        """A folder of so many different images; of 512 x 512 pixels about 170 KB."""
        folder, chance = Path(tempfile.mkdtemp(dir=self.folder)), Random(0)
        for index in range(number):
            small = Image.frombytes("RGB", (8, 8), chance.randbytes(192))
            small.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{index:06}.png", compress_level=1)
        return folder

    def enough(self, concurrency: int) -> Path:
        """Images for --seconds."""
        return self.draw(max(1, round(self.options.seconds * concurrency / self.options.latency / self.each)))

    def throughput(self) -> None:
        for concurrency in self.options.concurrency:
            run = in_child(ours, self.enough(concurrency), self.begin(concurrency))
            ideal = max(run.calls / concurrency, len(self.steps)) * self.options.latency
            run.report(f"{concurrency} calls in flight, {self.options.schedule}", ideal)

    def memory(self) -> None:
        for number in self.options.images:
            run = in_child(ours, self.draw(number, 16), self.begin(8, model="fake:instant", schedule="direct"))
            run.report("instant answers, direct", 0)

    def stages(self) -> None:
        places = self.options.places
        images = self.enough(places)
        for sigma in (0.0, self.options.sigma):
            runs: list[Run] = []
            for way, more in ((ours, ()), (barriers, (self.steps,))):
                runs.append(run := in_child(way, images, self.begin(places, sigma), *more))
                waits = sum(wait_of(number, self.options.latency, sigma) for number in range(run.calls))
                run.report(f"{way.__name__}, {places} in flight, sigma {sigma}", waits / places)
            one, other = runs
            print(f"barriers / ours     wall {other.wall / one.wall:.3f}, first image {other.first / one.first:.1f}")
        self.kill(images, _in_ledger, ours)
        self.kill(images, lambda place: self.each * len((place / "results").open().readlines()), barriers, self.steps)

    def kill(self, images: Path, kept_in: Callable[[Path], int], way: Callable[..., Run], *more: Any) -> None:
        """Kill `way` halfway and run it again; `kept_in` tells how many answers a workspace has kept."""
        flags, needed = self.begin(self.options.places, self.options.sigma), self.each * len(list(images.iterdir()))
        process = SPAWN.Process(target=way, args=(images, flags, *more))
        process.start()
        wait_until(lambda: self.shared[ARRIVED] >= needed / 2)
        process.kill()
        process.join()
        answered, kept = int(self.shared[ANSWERED]), kept_in(flags["workspace"])
        self.settle()
        asked = int(self.shared[ARRIVED])
        in_child(way, images, flags, *more)
        again = int(self.shared[ARRIVED]) - asked
        print(f"{way.__name__}, killed: {needed:,} calls needed, {asked:,} asked, {answered:,} answered, {kept:,} kept")
        print(f"  resumed           {again:,} asked, {asked + again - needed:,} of them again", end=", ")
        print(f"{again - (needed - kept):,} although the answer was kept", flush=True)

    def settle(self) -> None:
        """Wait until the server has nothing left to answer."""
        wait_until(lambda: self.shared[ARRIVED] == self.shared[ANSWERED])


def in_child(way: Callable[..., Run], *arguments: Any) -> Run:
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        return pool.submit(way, *arguments).result()


def wait_until(ready: Callable[[], bool]) -> None:
    for _ in range(90_000):
        if ready():
            return
        time.sleep(0.01)
    raise SystemExit("nothing happened for a quarter of an hour")


def _step(call: Rehearsed) -> str:
    """Scans need nothing, so they share the first step, which is another agent's `list`."""
    return call.prompt.step.replace("scan", "list")


def _in_ledger(workspace: Path) -> int:
    with Workspace.open(workspace).reading() as connection:
        return connection.execute("SELECT count(*) FROM calls WHERE status = 'good'").fetchone()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("throughput", "memory", "stages")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--concurrency", nargs="+", type=int, default=[8, 32, 128], help="of `throughput`")
    parser.add_argument("--places", type=int, default=16, help="calls in flight of `stages`")
    parser.add_argument("--images", nargs="+", type=int, default=[1000, 10000], help="of `memory`")
    parser.add_argument("--schedule", choices=("paper", "lean", "direct"), default="paper", help="of `throughput`")
    parser.add_argument("--objects", type=int, default=4, help="objects an image")
    parser.add_argument("--seconds", type=float, default=60, help="ideal time of a measurement")
    parser.add_argument("--latency", type=float, default=0.5, help="seconds of an answer")
    parser.add_argument("--sigma", type=float, default=0.75, help="of the logarithm of uneven latencies")
    options = parser.parse_args()
    os.environ.setdefault("OPENAI_API_KEY", "none")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        for part in options.only:
            getattr(bench, part)()


if __name__ == "__main__":
    main()
