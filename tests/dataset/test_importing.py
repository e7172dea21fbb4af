"""Published annotations in a workspace: once, found again, reviewed, and out again as they came."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomagent.benchmark.annotations import AnnotationSet
from anomagent.benchmark.items import gather
from anomagent.benchmark.reading import read_annotations
from anomagent.dataset.export import Choices, Shape, export
from anomagent.dataset.importing import Imported, Wishes, assign_parts, import_annotations
from anomagent.dataset.split_files import Unknown, Unlisted
from anomagent.dataset.stats import dataset_stats
from anomagent.errors import UsageError
from anomagent.store import Workspace, find_analyses
from anomagent.store.annotations import annotations_of
from anomagent.store.reviews import read_answers
from anomagent.store.splits import read_members
from anomagent.store.steps import dataset_step
from tests.dataset.filling import add, anomaly, begin, export_all
from tests.dataset.test_hugging_face import rows_of
from tests.store.test_analyses import picture

SAMPLE = Path(__file__).parents[1] / "data" / "anomreason_sample" / "ground_truth.json"
NAMES = ["a.png", "b.png", "c.png"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for colour, name in enumerate(NAMES):
        (folder / name).write_bytes(picture(colour))
    return folder


def take(
    workspace: Workspace, said: AnnotationSet, images: Path | None, wishes: Wishes | None = None
) -> tuple[Imported, dict[str, str]]:
    items = None if images is None else gather([images])
    with dataset_step(workspace, "import", {}) as step:
        return import_annotations(workspace, step, said, items, wishes or Wishes())


def entry(name: str = "Leg", severity: Any = 10) -> dict[str, Any]:
    return {"name": name, "phenomenon": "It is wrong.", "reasoning": "Anatomy.", "severity": severity}


def write(path: Path, content: object) -> AnnotationSet:
    path.write_text(json.dumps(content))
    return read_annotations(path)


def test_the_real_sample_comes_and_goes(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    said = read_annotations(SAMPLE)
    for colour, name in enumerate(said.images):
        (folder / name).write_bytes(picture(colour))
    told, _ = take(workspace, said, folder, Wishes(source="sdv35", reviewed_by="authors"))

    total = sum(len(one.anomalies) for one in said.images.values())
    assert (told.new, told.anomalies, told.answers) == (10, total, total)
    export(workspace, tmp_path / "out.json")
    assert read_annotations(tmp_path / "out.json").images == said.images


LISTS = st.dictionaries(
    st.sampled_from(NAMES),
    st.lists(
        st.builds(
            entry, st.from_regex(r"\A[A-Z][a-z]{1,5}\Z").filter(lambda name: name != "Name"), st.integers(0, 100)
        ),
        max_size=3,
    ),
    min_size=1,
)


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=LISTS, shape=st.sampled_from(["released", "project-page", "classic", "jsonl"]))
def test_export_import_export_gives_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, images: Path, lists: Any, shape: Shape
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    files: list[Any] = []
    said = write(folder / "first.json", lists)
    for turn in range(2):
        workspace = Workspace.open(folder / f"workspace{turn}")
        take(workspace, said, images, Wishes(reviewed_by="ann"))
        out = folder / f"{turn}.out"
        export(workspace, out, shape)
        files.append(
            [json.loads(line) for line in out.read_text().splitlines()] if shape == "jsonl" else out.read_text()
        )
        said = read_annotations(out)
    assert files[0] == files[1]
    assert {key: len(one.anomalies) for key, one in said.images.items()} == {key: len(a) for key, a in lists.items()}


def test_twice_adds_nothing_and_a_change_adds_an_analysis(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "x.json", {"a.png": [entry()], "b.png": []})
    told, _ = take(workspace, first, images)
    assert (told.new, told.unchanged, told.answers) == (2, 0, 0)
    told, _ = take(workspace, first, None)
    assert (told.run, told.new, told.unchanged) == (None, 0, 2)
    assert [take(workspace, first, images, Wishes(reviewed_by="ann"))[0].answers for _ in range(2)] == [1, 0]

    changed = write(tmp_path / "x.json", {"a.png": [entry(), entry("Arm")], "b.png": []})
    told, _ = take(workspace, changed, images)
    assert (told.new, told.unchanged, told.anomalies) == (1, 1, 2)
    assert len(annotations_of(workspace).images["a.png"].anomalies) == 2
    assert len(annotations_of(workspace, accepted=True).images["a.png"].anomalies) == 1, "the list that ann accepted"
    take(workspace, first, images)  # back again
    assert len(annotations_of(workspace).images["a.png"].anomalies) == 1


def test_answers_are_those_of_a_person(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    take(workspace, write(tmp_path / "x.json", {"a.png": [entry()]}), images, Wishes(reviewed_by="ann"))
    take(workspace, write(tmp_path / "x.json", {"a.png": [entry()]}), images, Wishes(reviewed_by="bob"))
    answers = [answer for _, answer in read_answers(workspace)]
    assert [(one.annotator, one.verdict, one.capacity) for one in answers] == [
        ("ann", "ACCEPT", "annotator"),
        ("bob", "ACCEPT", "annotator"),
    ]


def test_images_that_are_not_at_hand(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    said = write(tmp_path / "x.json", {"a.png": [entry()], "x.png": [], "y.png": []})
    with pytest.raises(
        UsageError, match=r"2 of its images are not at hand \('x.png', 'y.png'\).*--missing-images skip"
    ):
        take(workspace, said, images)
    with pytest.raises(UsageError, match="no image is analysed yet"):
        annotations_of(workspace)
    told, hashes = take(workspace, said, images, Wishes(missing="skip"))
    assert (told.new, told.missing, list(hashes)) == (1, 2, ["a.png"])


def test_a_file_that_is_no_image(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    (images / "b.png").write_bytes(b"no image")
    said = write(tmp_path / "x.json", {"a.png": [entry()], "b.png": []})
    with pytest.raises(UsageError, match=r"b\.png"):
        take(workspace, said, images)
    told, _ = take(workspace, said, images, Wishes(missing="skip"))
    assert (told.entries, told.missing, told.new + told.unchanged) == (2, 1, 1)


def test_two_different_files_of_one_name(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    (images / "more").mkdir()
    (images / "more" / "a.png").write_bytes(picture(0))
    said = write(tmp_path / "x.json", {"a.png": [entry()]})
    assert take(workspace, said, images)[0].new == 1, "equal files are one image"
    (images / "more" / "a.png").write_bytes(picture(9))
    with pytest.raises(UsageError, match=r"share the base name 'a.png'"):
        take(workspace, said, images)


def test_entries_that_cannot_be_read(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    said = write(tmp_path / "x.json", {"a.png": [entry(), entry(severity="bad")], "b.png": [entry(severity="bad")]})
    told, _ = take(workspace, said, images)
    assert (told.new, told.partial, told.failed) == (1, 1, 1), "a list without a readable entry is not empty"
    (analysis,) = find_analyses(workspace, "a.png")
    assert (analysis["status"], len(analysis["anomalies"])) == ("partial", 1)
    assert analysis["failures"][0]["message"] == "entry 2: severity 'bad' has no number"


def test_real_images_come_and_go(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    real = {"a.png": "The light falls as it should.", "c.png": "A \u201cquiet\u201d street.\nNobody there."}
    said: dict[str, object] = {**real, "b.png": []}
    take(workspace, write(tmp_path / "x.json", said), images)

    counts = export(workspace, tmp_path / "real.json", "real-images")
    assert json.loads((tmp_path / "real.json").read_text()) == real
    assert (counts.images, counts.described) == (2, 1)
    again = Workspace.open(tmp_path / "again")
    take(again, read_annotations(tmp_path / "real.json"), images)
    export(again, tmp_path / "again.json", "real-images")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "real.json").read_bytes()

    shapes: list[Shape] = ["released", "jsonl"]
    for shape in shapes:
        counts = export(workspace, tmp_path / shape, shape)
        assert (list(read_annotations(tmp_path / shape).images), counts.described) == (["b.png"], 2)
    export(workspace, tmp_path / "hf", "hf")
    assert {row["name"]: (row["label"], row["description"]) for row in rows_of(tmp_path / "hf")} == {
        name: ("real" if name in real else None, real.get(name)) for name in said
    }
    assert "2 images are real" in (tmp_path / "hf" / "README.md").read_text()
    assert dataset_stats(workspace).images["described"] == 2


def test_an_analysis_since_is_said_and_stays(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    said = write(tmp_path / "x.json", {"a.png": [entry()], "b.png": []})
    take(workspace, said, images)
    run = begin(workspace)
    add(workspace, run, "a.png", 0, status="ok", anomalies=[anomaly("arm")])
    told, _ = take(workspace, said, images)
    assert (told.run, told.unchanged, told.superseded) == (None, 2, 1)
    assert annotations_of(workspace).images["a.png"].anomalies[0].name == "arm"
    told, _ = take(workspace, said, images, Wishes(reviewed_by="ann"))
    assert annotations_of(workspace, accepted=True).images["a.png"].anomalies[0].name == "Leg"


def test_sources_of_a_manifest(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    manifest = images / "list.csv"
    manifest.write_text("image,generator,prompt\na.png,flux,a man\nb.png,,a dog\n")
    take(workspace, write(tmp_path / "x.json", {"a.png": [], "b.png": []}), manifest, Wishes(source="other"))
    with workspace.reading() as connection:
        rows = connection.execute("SELECT name, source, prompt FROM sources ORDER BY name").fetchall()
    assert rows == [("a.png", "flux", "a man"), ("b.png", "other", "a dog")]


def test_an_official_split(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    told, hashes = take(workspace, write(tmp_path / "x.json", {"a.png": [], "b.png": [], "c.png": []}), images)

    def assign(unknown: Unknown = "error", unlisted: Unlisted = "error", **parts: list[str]) -> None:
        (tmp_path / "split.json").write_text(json.dumps({"train": [], "test": []} | parts))
        with dataset_step(workspace, "import", {}) as step:
            assign_parts(workspace, step, "official", tmp_path / "split.json", told, unknown, unlisted)

    def placed() -> dict[str, str | None]:
        return {member.sha256: member.part for member in read_members(workspace, "official")}

    with pytest.raises(UsageError, match=r"1 name \('gone.png'\) that no image of the workspace has"):
        assign(train=["a.png", "gone.png"], test=["b.png"])
    with pytest.raises(UsageError, match=r"1 image \('c.png'\) that the file does not name"):
        assign("skip", train=["a.png", "gone.png"], test=["b.png"])
    assert set(placed().values()) == {None}
    assign("skip", "leave", train=["a.png", "gone.png"], test=["b.png"])
    assert placed() == {hashes["a.png"]: "train", hashes["b.png"]: "test", hashes["c.png"]: None}
    assert (told.assigned, told.unlisted, told.unknown) == (2, 1, 1)
    assign(train=["a.png"], test=["b.png", "c.png"])
    with pytest.raises(UsageError, match=r"'a.png' is in test here and in train of this split, where it stays"):
        assign("error", "leave", test=["a.png"])
    export(workspace, tmp_path / "out", choices=Choices(split="official"))
    assert json.loads((tmp_path / "out" / "split.json").read_text()) == {"train": ["a.png"], "test": ["b.png", "c.png"]}


def test_an_analysis_of_ours_is_shown_as_imported(workspace: Workspace, images: Path, tmp_path: Path) -> None:
    take(workspace, write(tmp_path / "x.json", {"a.png": [entry()]}), images)
    (analysis,) = find_analyses(workspace, "a.png")
    assert (analysis["schedule"], analysis["models"], analysis["usage"].calls) == ("imported", {}, 0)
    assert export_all(workspace, tmp_path / "stage", "candidates").images == 1
