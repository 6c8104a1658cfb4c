"""No command replaces a file that it did not write: every command with each of its output files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from conftest import TINY, assert_mentions
from resnet18_ocrdet.cli import _check, _detect, _evaluate, _export, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.detections.records import ImageRecord, read_records
from resnet18_ocrdet.viz.draw import write

JOBS = {"detect": _detect, "eval": _evaluate, "check": _check, "export": _export, "train": _train}
WORDS = {
    "detect": [
        "input=in",
        "output=out",
        "checkpoint={run}",
        "crops=true",
        "labelme=true",
        "coco=true",
        "decode.box_thresh=0",
    ],
    "eval": ["output=out", "checkpoint={run}", "data=synthetic", "data.val_size=1", "split=val", "workers=0"],
    "check": ["output=out", "data.root=set", "fix=true"],
    "export": ["output=out/model.pt2", "checkpoint={run}"],
    "train": [*TINY, "train.epochs=1", "run_dir=out"],
}
FILES = {
    "detect": """detections.json detections.jsonl errors.json coco.json detections.settings.json txt/res_a.txt vis/a.jpg
        crops/a_0001.jpg labelme/a.json""",
    "eval": """metrics.json report.html per_image.csv mistakes.csv submission.zip submission_with_scores.zip
        boxes/res_other.txt""",
    "check": "report.json report.html fixed/train_gts/a.txt",
    "export": "model.pt2 model.pt2.json",
    "train": """config.yaml train.log about.json metrics.jsonl guard.jsonl curves.png precision_recall.png summary.txt
        checkpoints/best.pt checkpoints/last.pt tensorboard/events stopped/report.json""",
}
RECORD = {
    **{"image": "a.jpg", "height": 64, "width": 96, "polygons": [], "quads": [], "scores": [], "seconds": 1.0},
    **{"bytes": 1, "modified_ns": 1},
}
BAD_LINES = [
    *('{"image": 5}', "[]", "null", "[" * 50_000, '{"a": ' * 50_000, "\0", "{}"),
    *(json.dumps(RECORD | {key: None}) for key in RECORD),
    *(json.dumps(RECORD | more) for more in ({"height": True}, {"width": 0}, {"image": 5}, {"extra": float("nan")})),
    *(json.dumps(RECORD | {"polygons": [each], "quads": [[[0, 0]] * 4], "scores": [1]}) for each in (1, [], [[1, 2]])),
    json.dumps(RECORD | {"polygons": [[[0, 0], [9, 0], [9, 1e400]]], "quads": [[[0, 0]] * 4], "scores": [1]}),
    json.dumps(RECORD | {"polygons": [[[0, 0], [9, 0], [9, "x"]]], "quads": [[[0, 0]] * 4], "scores": [1]}),
]
TABLE = [(command, name) for command, names in FILES.items() for name in names.split()]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one image in `in` and a data set of one image in `set`."""
    monkeypatch.chdir(tmp_path)
    for folder in ("in", "set/images", "set/gts"):
        Path(folder).mkdir(parents=True)
    for folder in ("in", "set/images"):
        write(Path(folder, "a.jpg"), SyntheticScenes(1, 64, 96, seed=1).load(0).image)
    Path("set/gts/a.txt").write_text("10,10,40,10,40,30,10,30,word\n")
    return tmp_path


def call(command: str, run: Path, *more: str) -> int:
    words = [word.format(run=run / "checkpoints/best.pt") for word in WORDS[command]]
    return run_command(command, JOBS[command], [*words, *more])


def plant(name: str) -> list[Path]:
    """Write a file of that name, and some that no command writes."""
    planted = [Path("out", each) for each in (name, "notes.txt", ".hidden", "vis/holiday.png", "more/boxes.csv")]
    for path in planted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    return planted


def everything() -> dict[str, bytes]:
    files = (Path(place, name) for place, _, names in os.walk("out") for name in names)
    return {str(path): path.read_bytes() for path in files if path.suffix != ".lock"}


@pytest.mark.parametrize(("command", "name"), TABLE)
def test_a_foreign_file_is_refused_before_any_work(command: str, name: str, tiny_run: Path, place: Path, capsys):
    plant(name)
    before = everything()
    assert call(command, tiny_run) == 2
    error = capsys.readouterr().err
    assert "out" in error and len(error.strip().splitlines()) == 1 and "Traceback" not in error
    assert "overwrite=true" in error or name == "checkpoints/last.pt"  # a run is resumed, never replaced
    assert everything() == before


@pytest.mark.parametrize(
    ("command", "name"), [("detect", "txt/res_a.txt"), ("detect", "labelme/a.json"), ("eval", "report.html")]
)
@pytest.mark.slow
def test_overwrite_replaces_only_that_file(command: str, name: str, tiny_run: Path, place: Path):
    planted = plant(name)
    assert call(command, tiny_run, "overwrite=true") == 0
    assert [path.read_text() == "mine" for path in planted] == [False, True, True, True, True]
    assert call(command, tiny_run) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("command", "name"), [row for row in TABLE if row[1] != "checkpoints/last.pt"])
def test_overwrite_replaces_every_output_file(command: str, name: str, tiny_run: Path, place: Path):
    planted = plant(name)
    assert call(command, tiny_run, "overwrite=true") in (0, 1)  # 1: ocrdet-check has findings
    assert all(path.read_text() == "mine" for path in planted[1:])
    written_always = name not in ("guard.jsonl", "stopped/report.json", "tensorboard/events", "curves.png")
    assert planted[0].exists() == (not name.startswith("boxes/")) or not written_always
    if written_always and planted[0].exists():
        assert planted[0].read_bytes() != b"mine"


def test_corrected_labelme_files_survive_repeated_calls(tiny_run: Path, place: Path, capsys):
    for name in ("b", "c"):
        write(Path("in", f"{name}.jpg"), SyntheticScenes(1, 64, 96, seed=ord(name)).load(0).image)
    words = ["vis=false", "crops=false", "decode.box_thresh=0"]
    assert call("detect", tiny_run, *words) == 0
    sheet = Path("out/labelme/a.json")
    corrected = json.loads(sheet.read_text()) | {"shapes": []}
    sheet.write_text(json.dumps(corrected))
    Path("out/labelme/b.json").unlink()
    own = Path("out/labelme/mine.json")  # added by hand, of another image
    own.write_text("mine")
    for _ in range(2):
        assert call("detect", tiny_run, *words) == 0
        assert json.loads(sheet.read_text()) == corrected and own.read_text() == "mine"
        assert json.loads(Path("out/labelme/b.json").read_text())["shapes"]  # a missing file is written
    for more in (["decode.box_thresh=0.1"], ["input_size=96x96"], ["input=in/a.jpg"]):
        assert call("detect", tiny_run, *words, *more) == 2
    write(Path("in/a.jpg"), SyntheticScenes(1, 64, 96, seed=9).load(0).image)
    capsys.readouterr()
    assert call("detect", tiny_run, *words) == 2
    assert_mentions(capsys.readouterr().err, "labelme/a.json", "image", "changed")
    assert json.loads(sheet.read_text()) == corrected
    Path("out/labelme/c.json").write_text("mine too")
    Path("in/c.jpg").unlink()
    assert call("detect", tiny_run, *words) == 2  # its image does not exist any more
    assert Path("out/labelme/c.json").read_text() == "mine too"


@pytest.mark.slow
def test_overwrite_and_corrected_labelme_files(tiny_run: Path, place: Path, capsys):
    words = ["vis=false", "crops=false", "decode.box_thresh=0"]
    assert call("detect", tiny_run, *words) == 0
    sheet = Path("out/labelme/a.json")
    sheet.write_text("corrected")
    assert call("detect", tiny_run, *words, "vis=true", "crops=true") == 0  # more outputs of the same image
    assert sheet.read_text() == "corrected"
    assert call("detect", tiny_run, "labelme=false", "overwrite=true", "decode.box_thresh=0.1") == 0
    assert sheet.read_text() == "corrected"
    capsys.readouterr()
    assert call("detect", tiny_run, "labelme=true", "overwrite=true") == 0
    assert sheet.read_text() != "corrected"
    assert_mentions(capsys.readouterr().out, "1 corrected", "replaced")


@pytest.mark.slow
def test_labelme_files_of_deleted_images(tiny_run: Path, place: Path, capsys):
    write(Path("in/b.jpg"), SyntheticScenes(1, 64, 96, seed=2).load(0).image)
    assert call("detect", tiny_run) == 0
    Path("out/labelme/b.json").write_text("corrected")
    Path("in/b.jpg").unlink()
    assert call("detect", tiny_run) == 2
    assert_mentions(capsys.readouterr().err, "b_0001", "not in the input")
    for more in (["overwrite=true"], []):
        assert call("detect", tiny_run, "labelme=false", *more) == 0
        assert Path("out/labelme/b.json").read_text() == "corrected"
    assert call("detect", tiny_run, "overwrite=true") == 0
    assert sorted(path.name for path in Path("out/labelme").iterdir()) == ["a.jpg", "a.json"]


def test_manifest_entries_and_links_never_reach_other_folders(tiny_run: Path, place: Path, capsys):
    Path("precious.txt").write_text("mine")
    Path("elsewhere").mkdir()
    Path("elsewhere/res_a.txt").write_text("mine")
    assert call("detect", tiny_run) == 0
    lines = [["../precious.txt", "x"], [str(Path("precious.txt").resolve()), "x"], ["notes.txt", "x"], ["a\0b", "x"]]
    with Path("out/.detections.files.jsonl").open("a") as manifest:
        manifest.writelines(json.dumps(line) + "\n" for line in lines)
    Path("out/notes.txt").write_text("mine")
    for more in ([], ["overwrite=true"]):
        assert call("detect", tiny_run, *more) == 0
    assert Path("precious.txt").read_text() == Path("out/notes.txt").read_text() == "mine"
    shutil.rmtree("out/txt")
    Path("out/txt").symlink_to(Path("elsewhere").resolve())
    for more in ([], ["overwrite=true"]):
        assert call("detect", tiny_run, *more) == 2
        assert_mentions(capsys.readouterr().err, "txt", "link")
    assert Path("elsewhere/res_a.txt").read_text() == "mine"
    Path("new").mkdir()
    Path("new/txt").symlink_to("/nowhere")
    assert call("detect", tiny_run, "output=new") == 2
    assert_mentions(capsys.readouterr().err, "txt", "link")
    assert not list(Path("new").glob("detections*"))


def test_leftovers_of_a_killed_call_are_removed(tiny_run: Path, place: Path):
    assert call("detect", tiny_run) == 0
    left = [Path("out", folder, ".ocrdet-tmp-0123456789ab.jpg") for folder in (".", "txt", "vis", "crops", "labelme")]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert call("detect", tiny_run) == 0
    assert not any(path.exists() for path in left)


@pytest.mark.slow
def test_training_never_writes_through_links(tiny_run: Path, place: Path, capsys):
    Path("precious").write_text("mine")
    Path("out").mkdir()
    for name in ("config.yaml", "train.log", "metrics.jsonl"):
        Path("out", name).symlink_to(Path("precious").resolve())
    assert call("train", tiny_run) == 2
    assert call("train", tiny_run, "overwrite=true") == 0
    assert Path("precious").read_text() == "mine" and not Path("out/config.yaml").is_symlink()
    Path("out/config.yaml").unlink()
    Path("out/config.yaml").symlink_to(Path("precious").resolve())
    assert run_command("train", _train, ["resume=out", "train.epochs=2"]) == 2
    assert_mentions(capsys.readouterr().err, "config.yaml", "link")
    assert Path("precious").read_text() == "mine"


def test_a_preview_does_not_take_over_a_folder(tiny_run: Path, place: Path):
    Path("out").mkdir()
    Path("out/config.yaml").write_text("mine")
    for _ in range(2):
        assert call("train", tiny_run, "train.preview=true") == 0
    assert call("train", tiny_run) == 2
    Path("out/preview.jpg").write_text("mine")
    assert call("train", tiny_run, "train.preview=true") == 2
    assert Path("out/preview.jpg").read_text() == Path("out/config.yaml").read_text() == "mine"
    Path("out/run.lock").write_text("mine")
    assert call("train", tiny_run, "overwrite=true") == 2
    assert Path("out/run.lock").read_text() == "mine"


@pytest.mark.slow
def test_labelme_links_follow_the_input_folder(tiny_run: Path, place: Path):
    Path("in").rename("first")
    Path("in").symlink_to("first")
    assert call("detect", tiny_run, "input=first") == 0
    assert Path("out/labelme/a.jpg").resolve() == Path("first/a.jpg").resolve()
    Path("first").rename("second")  # the same files, moved
    assert call("detect", tiny_run, "input=second") == 0
    assert Path("out/labelme/a.jpg").resolve() == Path("second/a.jpg").resolve()
    write(Path("second/a.jpg"), SyntheticScenes(1, 64, 96, seed=9).load(0).image)
    assert call("detect", tiny_run, "input=second") == 2  # the record is of the first folder
    assert call("detect", tiny_run, "input=second", "overwrite=true") == 0


def test_a_corrected_coco_json_is_not_replaced(tiny_run: Path, place: Path, capsys):
    assert call("detect", tiny_run) == 0
    Path("out/coco.json").write_text("corrected")
    assert call("detect", tiny_run) == 2
    assert_mentions(capsys.readouterr().err, "coco.json", "changed")
    assert Path("out/coco.json").read_text() == "corrected"
    assert call("detect", tiny_run, "coco=false") == 0 and Path("out/coco.json").read_text() == "corrected"


def test_images_of_invalid_records_are_processed_again(tiny_run: Path, place: Path):
    assert call("detect", tiny_run) == 0
    whole = json.loads(Path("out/detections.json").read_text())["images"]
    Path("out/detections.jsonl").write_text("".join(line + "\n" for line in BAD_LINES))
    assert ImageRecord.from_json(json.dumps(RECORD)) and list(read_records(Path("out/detections.jsonl"))) == []
    assert call("detect", tiny_run) == 0
    again = json.loads(Path("out/detections.json").read_text())["images"]
    assert [image["polygons"] for image in again] == [image["polygons"] for image in whole]


@pytest.mark.slow
def test_an_invalid_settings_file_is_refused(tiny_run: Path, place: Path, capsys):
    assert call("detect", tiny_run) == 0
    for text in ("", "[]", "[" * 50_000, '{"version": {"a": [NaN]}}', "\udcff"):
        Path("out/detections.settings.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        assert call("detect", tiny_run) == 2
        assert "overwrite=true" in capsys.readouterr().err
