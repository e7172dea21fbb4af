"""How fast the review is on a large workspace: requests to the real server, and the queue behind it; start and memory.

    python benchmarks/review.py [--candidates 175000] [--answers 100000] [--rounds 200] [--overlap 0.1] [--read-kinds]

The workspace is made up by another process: eight candidates an image, five sources (one of them rare), answers of four
people. The server runs in this process and on a real socket; a person who is new and one who has answered a quarter
ask it, and then four people at once. Milliseconds; the aim for the next candidate is 50 for 95 of 100. "mean cpu" is
the processor's time, browser's part included: it says the same on a busy machine.

Kinds of candidates are made up too, unless --read-kinds is given: then the server starts without any, reads them in the
background, and "while kinds are read" says what requests take meanwhile. The defaults take about two minutes.
"""

import argparse
import multiprocessing
import re
import resource
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from review_workspace import PEOPLE, SOURCES, fill

from anomagent.review.app import create_app
from anomagent.review.desk import Desk
from anomagent.review.queue import Filters, Queue, Rules
from anomagent.review.serving import listen, make_server, url_of
from anomagent.store import Workspace
from anomagent.store.reviews import read_decisions

AIM = 50
RARE = {"source": SOURCES[-1], "severity_min": 0, "severity_max": 0}
FILTERS: dict[str, dict[str, Any]] = {
    "next": {},
    "next, source": {"source": "flux"},
    "next, rare source": {"source": SOURCES[-1]},
    "next, severity": {"severity_min": 20, "severity_max": 40},
    "next, rare severity": {"severity_min": 0, "severity_max": 0},
    "next, kind": {"kind": "support"},
    "next, unsure": {"unsure": 1},
    "next, nothing fits": {"source": "nobody"},
    "next, all filters": {**RARE, "kind": "support", "unsure": 1},
}


@contextmanager
def serving(desk: Desk) -> Generator[str]:
    """The address of the real server, in a thread of its own."""
    listener = listen("127.0.0.1", 0)
    server = make_server(create_app(desk, "127.0.0.1"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield url_of("127.0.0.1", listener)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Browser:
    """Somebody who is signed in."""

    def __init__(self, address: str, name: str) -> None:
        self.client = httpx.Client(base_url=address, headers={"Origin": address}, timeout=60)
        self._read_token()
        self.client.post("/session", json={"name": name}).raise_for_status()
        self._read_token()

    def _read_token(self) -> None:
        [token] = re.findall(r'<meta name="csrf-token" content="([^"]+)">', self.client.get("/").text)
        self.client.headers["X-CSRF-Token"] = token

    def next(self, **query: Any) -> Any:
        return self.client.get("/api/next", params=query).raise_for_status().json()

    def answer(self, item: int, verdict: str = "ACCEPT") -> Any:
        body = {"id": uuid.uuid4().hex, "item": item, "verdict": verdict, "seconds": 3.5}
        return self.client.post("/api/answers", json=body).raise_for_status().json()

    def undo(self, item: int) -> Any:
        return self.client.post("/api/undo", json={"id": uuid.uuid4().hex, "item": item}).raise_for_status().json()


class Times(list[float]):
    """Milliseconds of each call, and the processor's in all of them."""

    cpu = 0.0

    def measure(self, work: Callable[[], Any]) -> Any:
        start, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.append((time.perf_counter() - start) * 1e3)
        self.cpu += (time.process_time() - cpu) * 1e3
        return result


def repeated(work: Callable[[], Any], rounds: int) -> Times:
    times = Times()
    for _ in range(rounds):
        times.measure(work)
    return times


def heading(text: str) -> None:
    print(f"\n{text:34}{'p50':>8}{'p95':>8}{'max':>8}{'mean cpu':>10}", flush=True)


def report(name: str, times: Times, note: str = "") -> None:
    if times:
        p50, p95 = (sorted(times)[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.95))
        cpu = f"{times.cpu / len(times):.1f}" if times.cpu else ""
        print(f"{name:34}{p50:8.1f}{p95:8.1f}{max(times):8.1f}{cpu:>10}  {note}", flush=True)


def measure_queue(queue: Queue, name: str, rounds: int) -> None:
    heading(f"queue, {name}")
    for label, filters in FILTERS.items():
        wanted = Filters(**{**filters, "unsure": bool(filters.get("unsure"))})
        report(label, repeated(lambda wanted=wanted: queue.next(name, wanted), rounds))
    report("upcoming", repeated(lambda: queue.upcoming(name, Filters(), set()), rounds))
    report("progress", repeated(lambda: queue.progress(name), rounds))
    report("refresh, nothing new", repeated(queue.refresh, rounds))


def measure_server(address: str, name: str, rounds: int) -> None:
    heading(f"server, {name}")
    browser = Browser(address, name)
    for label, filters in FILTERS.items():
        report(label, repeated(lambda filters=filters: browser.next(**filters), rounds), f"aim {AIM}")
    report("progress", repeated(lambda: browser.client.get("/api/progress").raise_for_status(), rounds))
    work(browser, rounds, "answer, then next")


def work(browser: Browser, rounds: int, label: str) -> None:
    """What a person does, as fast as can be: answer, ask for the next one, now and then undo."""
    times = session(browser, rounds)
    for part, each in times.items():
        report(f"{label}: {part}", each, f"aim {AIM}" if part == "next" else "")


def session(browser: Browser, rounds: int) -> dict[str, Times]:
    times = {"answer": Times(), "next": Times(), "undo": Times()}
    item = browser.next()["item"]
    for number in range(rounds):
        if item is None:
            break
        here: int = item["id"]
        times["answer"].measure(lambda here=here: browser.answer(here))
        if number % 10 == 9:
            times["undo"].measure(lambda here=here: browser.undo(here))
        item = times["next"].measure(lambda here=here: browser.next(after=here))["item"]
    return times


def measure_together(address: str, rounds: int) -> None:
    heading("server, four people at once")
    browsers = [Browser(address, name) for name in PEOPLE]
    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        found = list(pool.map(lambda browser: session(browser, rounds), browsers))
    for part in ("next", "answer", "undo"):
        times = Times(each for one in found for each in one[part])
        report(part, times, f"aim {AIM}" if part == "next" else "")


def measure_decisions(workspace: Workspace, candidates: int) -> None:
    heading("store")
    few = list(range(1, candidates + 1, candidates // 100))
    with workspace.reading() as connection:
        report("decisions of all", repeated(lambda: read_decisions(connection), 3))
        report("decisions of a hundred", repeated(lambda: read_decisions(connection, few), 20))


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    workspace, before = Workspace.open(folder), megabytes()
    start = time.perf_counter()
    queue = Queue.load(workspace, None, Rules(overlap=arguments.overlap))
    print(f"load: {time.perf_counter() - start:.1f} s, peak memory {megabytes():.0f} MB, {before:.0f} MB before it")
    with serving(Desk(workspace, queue)) as address:
        if arguments.read_kinds:
            heading("server, while kinds are read")
            work(Browser(address, "fay"), arguments.rounds, "answer, then next")
            while queue.unclassified:
                time.sleep(1)
            print(f"all kinds were read after {time.perf_counter() - start:.0f} s", flush=True)
        for name in ("eve", "ada"):
            measure_queue(queue, name, arguments.rounds)
            measure_server(address, name, arguments.rounds)
        measure_together(address, arguments.rounds)
    measure_decisions(workspace, arguments.candidates)
    print(f"\npeak memory in the end: {megabytes():.0f} MB, the client of the measurement included")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=175_000)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--overlap", type=float, default=0.1, help="share of the candidates that two people get")
    parser.add_argument("--read-kinds", action="store_true", help="begin without kinds; takes minutes longer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "workspace"
        values = (folder, arguments.candidates, arguments.answers, not arguments.read_kinds)
        filling = multiprocessing.get_context("spawn").Process(target=fill, args=values)
        filling.start()
        filling.join()
        if filling.exitcode:
            raise SystemExit("the workspace could not be made")
        measure(folder, arguments)


if __name__ == "__main__":
    main()
