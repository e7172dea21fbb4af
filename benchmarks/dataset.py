"""How a large data set is made: each step as its own command, its time and memory, and whether it finds what it should.

    python benchmarks/dataset.py [--images 100000] [--anomalies 6] [--folder DIR]

The files are small real JPEG pictures. Of a hundred, five are smaller and coarser copies of another one (near
duplicates), three are equal to another one, and four share a prompt with three others; of a thousand, two quote the
same name. Annotations come by `dataset import`, answers of people straight into the store (no step of the chain, and
not in the sum). Splits are made twice: of all images, where near-duplicates have to stay together, and of those that
`dedupe` kept. The aim for 100,000 images on two cores: 20 minutes in all, no step above 2 GB.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from anomagent.state.reviews import Answer, Verdict
from anomagent.store import Workspace
from anomagent.store.reviews import append_answers

MINUTES, MEGABYTES = 20, 2048
SOURCES = ("flux", "midjourney", "sdxl", "dalle")
NEAR, EQUAL = 5, 3
"""Of a hundred files."""
SAME_PROMPT = 4
PEOPLE = ("ada", "ben")
VERDICTS: tuple[Verdict, ...] = ("ACCEPT", "REJECT", "UNSURE")
SHARES = (80, 15, 5)
AT_ONCE = 2_000
COMMAND = (sys.executable, "-c", "from anomagent.cli import main; main()")

WHO = ("the woman", "the cyclist on the left", "the child", "the man in the grey coat", "the dog", "the waiter")
PART = ("right hand", "left forearm", "lower jaw", "front wheel", "shadow", "reflection", "shoulder", "left shoe")
STATE = (
    "ends in six fingers of equal length, two of which are fused at the knuckles",
    "passes through the metal railing without any visible opening",
    "floats a few centimetres above the table and touches nothing",
    "points towards the lamp instead of away from it",
    "shows letters that belong to no alphabet",
)
PLACE = ("in a kitchen", "at a bus stop", "on a bridge in the rain", "beside a pond", "under a street lamp at night")


class Planted:
    """Which pictures there are: each has a number, and its files are NUMBER.jpg, NUMBER-near.jpg, NUMBER-equal.jpg."""

    def __init__(self, files: int) -> None:
        self.near, self.equal = files * NEAR // 100, files * EQUAL // 100
        self.pictures = files - self.near - self.equal
        self.pairs = files // 1000
        """Pairs of pictures whose prompts quote the same name."""

    def names(self) -> Iterator[str]:
        """All files; near-duplicates and equal files are of different pictures, as far from each other as can be."""
        yield from (f"{number:07d}.jpg" for number in range(self.pictures))
        yield from (f"{number:07d}-near.jpg" for number in range(self.near))
        yield from (f"{self.pictures - 1 - number:07d}-equal.jpg" for number in range(self.equal))

    def prompt(self, number: int) -> str:
        """Distinct, but in the last four hundredths, where four follow each other."""
        shared = number >= self.pictures - self.pictures * SAME_PROMPT // 100
        subject = number // SAME_PROMPT * SAME_PROMPT if shared else number
        quoted = f' with the words "Ship {number % self.pairs}" on a wall' if number < 2 * self.pairs else ""
        return f"a photograph of {WHO[subject % len(WHO)]} and {subject} birds {PLACE[subject % len(PLACE)]}{quoted}"


def number_of(name: str) -> int:
    return int(os.path.basename(name)[:7])


def draw(folder: Path, files: int, anomalies: int) -> None:
    """The pictures, their manifest and their annotations."""
    planted = Planted(files)
    (folder / "images").mkdir()
    with ExitStack() as stack:
        manifest, annotations = (
            stack.enter_context((folder / name).open("w")) for name in ("list.jsonl", "annotations.json")
        )
        for place, name in enumerate(planted.names()):
            number, target = number_of(name), folder / "images" / name
            if "equal" in name:
                shutil.copyfile(folder / "images" / f"{number:07d}.jpg", target)
            else:
                picture(number, "near" in name).save(target, quality=60 if "near" in name else 88)
                said = json.dumps(list(some_anomalies(number, anomalies)))
                annotations.write(f"{',' if place else '{'}\n{json.dumps(name)}: {said}")
            row = {"image": f"images/{name}", "prompt": planted.prompt(number), "id": name}
            manifest.write(json.dumps(row | {"source": SOURCES[number % len(SOURCES)]}) + "\n")
        annotations.write("\n}\n")


def picture(number: int, near: bool) -> Image.Image:
    """Soft random blots: no two of them alike for a fingerprint."""
    blots = Image.frombytes("RGB", (16, 12), random.Random(number).randbytes(16 * 12 * 3))
    whole = blots.resize((160, 120), Image.Resampling.BICUBIC)
    return whole.resize((128, 96), Image.Resampling.LANCZOS) if near else whole


def some_anomalies(number: int, mean: int) -> Iterator[dict[str, str]]:
    chance = random.Random(-number - 1)
    for _ in range(chance.randint(0, 2 * mean)):
        who, part, state = chance.choice(WHO), chance.choice(PART), chance.choice(STATE)
        severity = chance.randint(0, 100)
        yield {
            "Name": f"Odd {part}",
            "Observed Phenomenon": f"The {part} of {who} {state}, about {severity} per cent of its usual size.",
            "Reasoning": f"This cannot be: nothing in the picture explains why the {part} of {who} {state}.",
            "Severity Score": f"{severity}/100 (as drawn).",
        }


def answer_all(folder: Path) -> None:
    """One person's answer about every candidate, two persons' about every tenth."""
    workspace, chance = Workspace.open(folder), random.Random(0)
    with workspace.reading() as connection:
        rows = (row for (row,) in connection.execute("SELECT id FROM anomalies ORDER BY id"))
        given = (answer(chance, row, who) for row in rows for who in PEOPLE[: 1 + (row % 10 == 0)])
        while some := list(islice(given, AT_ONCE)):
            append_answers(workspace, some)


def answer(chance: random.Random, candidate: int, who: str) -> Answer:
    verdict = chance.choices(VERDICTS, SHARES)[0]
    return Answer(id=uuid.uuid4().hex, anomaly=candidate, annotator=who, verdict=verdict, seconds=chance.uniform(2, 20))


class Chain:
    """Runs commands on a workspace, one after another, and says what each took."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.wall, self.largest = folder, 0.0, 0.0
        print(f"{'step':44}{'wall s':>9}{'CPU s':>9}{'MB':>8}", flush=True)

    def run(self, *arguments: str) -> Any:
        """What the command printed as JSON. Ends the benchmark where it fails; 3, something left out, is no failure."""
        line = [*COMMAND, "dataset", *arguments, "--workspace", "w", "--json"]
        start = time.perf_counter()
        with (self.folder / "out.json").open("w") as out, (self.folder / "err.txt").open("w") as err:
            process = subprocess.Popen(line, cwd=self.folder, stdout=out, stderr=err)
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        wall, memory = time.perf_counter() - start, used.ru_maxrss / 1024
        self.wall, self.largest = self.wall + wall, max(self.largest, memory)
        print(f"{' '.join(arguments):44}{wall:9.1f}{used.ru_utime + used.ru_stime:9.1f}{memory:8.0f}", flush=True)
        if code not in (0, 3):
            raise SystemExit((self.folder / "err.txt").read_text()[-2000:])
        return json.loads((self.folder / "out.json").read_text())


def check(what: str, found: object, expected: object, fits: bool | None = None) -> None:
    verdict = "as planted" if (found == expected if fits is None else fits) else "WRONG"
    print(f"    {what}: {found} of {expected}, {verdict}", flush=True)


def straddling(parts: dict[str, list[str]], keys: Iterable[tuple[str, object]]) -> int:
    """Of what belongs together, by name, how much is on two sides."""
    sides: defaultdict[object, set[str]] = defaultdict(set)
    part_of = {name: part for part, names in parts.items() for name in names}
    for name, key in keys:
        if name in part_of:
            sides[key].add(part_of[name])
    return sum(len(found) > 1 for found in sides.values())


def check_split(folder: Path, file: str, planted: Planted, leakage: Any) -> None:
    parts: dict[str, list[str]] = json.loads((folder / file).read_text())
    names = list(planted.names())
    check("pictures on two sides", straddling(parts, ((name, number_of(name)) for name in names)), 0)
    prompts = ((name, planted.prompt(number_of(name))) for name in names)
    check("prompts on two sides", straddling(parts, prompts), 0)
    quoting = [name for name in names if number_of(name) < 2 * planted.pairs and "equal" not in name]
    across = straddling(parts, ((name, number_of(name) % planted.pairs) for name in quoting))
    kinds = {kind: said["affected"] for kind, said in leakage["kinds"].items()}
    check("leakage, near-duplicates and prompts", kinds["near-duplicates"] + kinds["prompts"], 0)
    check("leakage, names on two sides (images for pairs)", kinds["entities"], across, kinds["entities"] >= across)


def measure(folder: Path, files: int, anomalies: int) -> None:
    planted, chain = Planted(files), Chain(folder)
    taken = chain.run("ingest", "list.jsonl")
    check("new images", taken["new"], planted.pictures + planted.near)
    check("equal files", taken["known"], planted.equal)
    chain.run("ingest", "list.jsonl")
    chain.run("split", "--name", "all", "--out", "all.json", "--force")
    check_split(folder, "all.json", planted, chain.run("leakage", "--name", "all"))
    found = chain.run("dedupe", "--apply", "--show", str(files))
    groups = [(number_of(group["kept"]["names"][0]), group["dropped"]) for group in found["groups_shown"]]
    strange = [one for number, dropped in groups for one in dropped if number_of(one["names"][0]) != number]
    right = found["dropped"] - len(strange)
    check("near-duplicates", right, planted.near, right >= 0.98 * planted.near)
    print(f"    unlike pictures whose fingerprints are as close by chance: {len(strange)}", flush=True)
    kept = planted.pictures + planted.near - found["dropped"]
    check("images in a manifest", chain.run("manifest", "kept.jsonl", "--force")["images"], kept)
    chain.run("split", "--out", "split.json", "--force")
    check_split(folder, "split.json", planted, chain.run("leakage"))
    imported = chain.run("import", "annotations.json")
    said = sum(len(list(some_anomalies(number, anomalies))) for number in range(planted.pictures))
    said += sum(len(list(some_anomalies(number, anomalies))) for number in range(planted.near))
    check("anomalies", imported["anomalies"], said)
    apart("answers", answer_all, folder / "w")
    stats = chain.run("stats")
    check("images", stats["images"]["all"], kept)
    answered = Counter({key: stats["candidates"][key] for key in ("accepted", "rejected", "unsure", "unreviewed")})
    print(f"    candidates: {dict(answered)}", flush=True)
    for shape in ("released", "hf"):
        written = chain.run("export", f"out-{shape}", "--shape", shape, "--force")
        names = kept + planted.equal - sum(len(one["names"]) - 1 for one in strange)
        check("images written", written["images"], names)
        check("accepted anomalies are not less than the contents'", written["anomalies"], answered["accepted"], True)
    verdict = chain.wall < MINUTES * 60 and chain.largest < MEGABYTES
    print(f"{'in all':44}{chain.wall:9.1f}{'':9}{chain.largest:8.0f}")
    print(f"aim: {MINUTES * 60} s and {MEGABYTES} MB for 100,000 images: {'met' if verdict else 'NOT MET'}")


def apart(what: str, work: Any, *values: Any) -> None:
    """Do it in another process, so that this one stays small."""
    start = time.perf_counter()
    process = multiprocessing.get_context("spawn").Process(target=work, args=values)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{what}: could not be made")
    print(f"({what}: {time.perf_counter() - start:.0f} s)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000, help="files; 1,000 at least")
    parser.add_argument("--anomalies", type=int, default=6, help="of an image, in the mean")
    parser.add_argument("--folder", type=Path, help="keep everything there; pictures of an earlier time are used again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = arguments.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        if not (folder / "annotations.json").exists():
            apart("pictures", draw, folder, arguments.images, arguments.anomalies)
        shutil.rmtree(folder / "w", ignore_errors=True)
        measure(folder, arguments.images, arguments.anomalies)


if __name__ == "__main__":
    main()
