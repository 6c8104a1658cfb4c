"""Label Studio: the JSON and the JSON-MIN export of all tasks of a project, or of one task.

    [{"id": 1, "data": {"image": "/data/upload/3/1f2e3d4c-menu.jpg"}, "annotations": [{"id": 7, "result": [
      {"id": "aX1", "type": "rectanglelabels", "original_width": 640, "original_height": 480, "image_rotation": 0,
       "value": {"x": 5.8, "y": 11.9, "width": 20.9, "height": 10.0, "rotation": 35, "rectanglelabels": ["text"]}},
      {"id": "aX1", "type": "textarea", "value": {"text": ["EXIT"]}}]}]}]

Results with the same id are one region: its box, its labels, its text. What regions hold: `label_studio_regions`. In
JSON-MIN the results of a task are lists under the names of the tags, without ids: {"image": ..., "bbox": [{"x": ...}],
"transcription": ["EXIT"], "annotation_id": 7}. Values with the same position are one region. Texts are in the order of
the regions; if there are more or fewer of them, it is unknown which belongs to which (label_studio_sdk,
converter/utils.py, prettify_result), and they are not used.

Of several annotations of a task, the one marked as ground truth is used, else the newest. Skipped tasks and those
without annotation are images without labels; predictions are not labels. Images are found behind their addresses:
`served`. https://labelstud.io/guide/export, https://labelstud.io/guide/task_format
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ...runtime.messages import count
from ..findings import Report
from ..image_io import has_image_suffix
from ..record import LabelRecord, Region
from ..text_file import label_text
from .attributes import FLAG_NAMES, TEXT_NAMES
from .image_index import ImageIndex
from .json_file import describe, first_shown, has_key, is_set, labels_among, parse_json, text_of
from .label_studio_regions import group_results, has_position, position_of, read_region, size_of
from .locate import IMAGE_FOLDERS, check_root, files_near, image_folders
from .location import LabelError, Location
from .served import locate_served, names_behind, upload_name
from .split_names import SPLITS, ListedImage, group_by_split, splits_of_files

KEY = "label_studio"
NAME = "Label Studio"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = FLAG_NAMES  # choices of the annotator for a region
IMAGE_KEYS = ("image", "ocr", "img", "url", "file_upload")  # of the data of a task, those first
MAX_PEEKED = 8  # files that `recognise` opens
MAX_IN_FOLDER = 2  # of them in one folder


class Images(NamedTuple):
    """Where images may be."""

    folders: list[Path]
    everywhere: ImageIndex  # of the whole data set
    split: str | None  # by the name of the file or its folder


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    paths = files_near(root, ".json", MAX_IN_FOLDER)[:MAX_PEEKED]
    return first_shown(root, paths, _is_export, "has tasks with results")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = labels_among(files_near(root, ".json"), _is_export, lambda path: path.stem.startswith("project-"))
    index = ImageIndex(root, upload_name)
    listed = []
    for path, split in splits_of_files(root, files).items():
        folders = image_folders(root, path, SPLITS if split is None else (split,))
        folders += [path.parent / name for name in IMAGE_FOLDERS]
        for number, record in _read_export(Location(report, path), Images(folders, index, split), marks):
            listed.append(ListedImage(split, number, record))
    report.notes += index.notes()
    return group_by_split({entry.split for entry in listed} or {None}, listed, report, root)


def _read_export(whole: Location, images: Images, marks: Sequence[str]) -> list[tuple[int, LabelRecord]]:
    """Read the tasks of one file, with their numbers; those that cannot be read are reported and skipped."""
    text = label_text(whole.path, whole.report, None, blank="")
    tasks = None if text is None else whole.attempt(parse_json, text)
    if isinstance(tasks, dict):
        tasks = [tasks]
    if not isinstance(tasks, list):
        if text is not None and tasks is not None:
            whole.add("GT006", f"holds {describe(tasks)}, not a list of tasks")
        return []
    found = []
    for number, task in _merged(tasks):
        location = replace(whole, line=number, entry=f"task {number}")
        if record := location.attempt(_read_task, task, location, images, marks):
            found.append((number, record))
    return found


def _merged(tasks: Sequence[Any]) -> list[tuple[int, Any]]:
    """Tasks in the form of the JSON export, with their numbers: JSON-MIN has one entry for each annotation."""
    found: list[tuple[int, Any]] = []
    by_id: dict[str, dict[str, Any]] = {}
    for number, task in enumerate(tasks, start=1):
        if not isinstance(task, dict) or "annotation_id" not in task:
            found.append((number, task))
            continue
        annotation = {"id": task["annotation_id"], "updated_at": task.get("updated_at"), "minimal": task}
        key = text_of(task.get("id")) or f"entry {number}"
        if key not in by_id:
            by_id[key] = {"data": task, "annotations": []}
            found.append((number, by_id[key]))
        if task["annotation_id"] is not None:
            by_id[key]["annotations"].append(annotation)
    return found


def _read_task(task: Any, location: Location, images: Images, marks: Sequence[str]) -> LabelRecord | None:
    """Read one task; None, reported, if it has no annotation. Raises LabelError if its image does not exist."""
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        raise LabelError("GT022", f"needs data and annotations, got {describe(task)}")
    location.image = _find_image(task, images)
    annotations = task.get("annotations", task.get("completions"))
    if not isinstance(annotations, list):
        raise LabelError("GT022", f"needs annotations, a list, got {describe(annotations)}")
    done = [each for each in annotations if isinstance(each, dict) and not _is_skipped(each)]
    if not done:
        location.add("GT001", "no annotation, or skipped")
        return None
    chosen = max(reversed(done), key=lambda each: (is_set(each.get("ground_truth")), _time(each)))
    if len(done) > 1:
        location.add("GT126", f"{count(len(done), 'annotation')}; {describe(chosen.get('id'))} is used")
    results = _full_results(chosen["minimal"], location) if "minimal" in chosen else chosen.get("result")
    if not isinstance(results, list):
        raise LabelError("GT022", f"needs result, a list, got {describe(results)}")
    return _read_results(results, location, marks)


def _find_image(task: dict[str, Any], images: Images) -> Path:
    """The image of a task. Raises LabelError if its data names none, or none that exists."""
    data = {key: value for key, value in task["data"].items() if isinstance(value, str) and _names_image(value)}
    if isinstance(task.get("file_upload"), str):
        data.setdefault("file_upload", task["file_upload"])
    keys = sorted(data, key=lambda key: IMAGE_KEYS.index(key) if key in IMAGE_KEYS else len(IMAGE_KEYS))
    if not keys:
        raise LabelError("GT022", f"no image in its data, which has {', '.join(list(task['data'])[:5]) or 'nothing'}")
    errors = []
    for key in keys:
        try:
            return locate_served(data[key], *images, key, uploaded=key == "file_upload")
        except LabelError as error:
            errors.append(error)
    raise errors[0]


def _names_image(address: str) -> bool:
    return any(map(has_image_suffix, names_behind(address)))


def _is_skipped(annotation: dict[str, Any]) -> bool:
    return is_set(annotation.get("was_cancelled")) or is_set(annotation.get("skipped"))


def _time(annotation: dict[str, Any]) -> str:
    return text_of(annotation.get("updated_at")) or text_of(annotation.get("created_at"))


def _full_results(task: dict[str, Any], location: Location) -> list[dict[str, Any]]:
    """The values of a task in JSON-MIN as results: those with the same position get the same id."""
    columns = [value for value in task.values() if isinstance(value, list)]
    columns.sort(key=len, reverse=True)  # the longest may have all regions, in their order
    results: list[dict[str, Any]] = []
    ids: dict[tuple[Any, ...], str] = {}
    for value in (value for column in columns for value in column if has_position(value)):
        key = ids.setdefault(position_of(value), str(len(ids) + 1))
        results.append({"id": key, "value": value})
    named = (task[name] for name in TEXT_NAMES if name in task)
    found: Any = next((text for text in named if not (isinstance(text, str) and _names_image(text))), [])
    texts = found if isinstance(found, list) else [found]
    is_ordered = any(
        len({position_of(value) for value in column if has_position(value)}) == len(ids) for column in columns
    )
    if len(texts) == len(ids) and is_ordered:
        pairs = zip(ids.values(), texts, strict=True)
        results += [{"id": key, "value": {"text": [text]}} for key, text in pairs if isinstance(text, str)]
    elif texts:
        why = "not used" if len(texts) != len(ids) else "in an unknown order, not used"
        location.add("GT010", f"{count(len(texts), 'text')} for {count(len(ids), 'region')}: {why}; export JSON")
    return results


def _read_results(results: Sequence[Any], location: Location, marks: Sequence[str]) -> LabelRecord:
    """Read the regions of one annotation."""
    groups = group_results(results)
    if location.too_many(len(groups)):
        return location.record([None] * len(groups))
    regions: list[Region | None] = []
    for number, group in groups:
        where = replace(location, line=number, entry=f"{location.entry}, result {number}")
        regions.append(where.attempt(read_region, group, number, location.image, marks))
    stated = {size for _, group in groups for result in group if (size := size_of(result))}
    return location.record(regions, stated=stated.pop() if len(stated) == 1 else None)


def _is_export(text: str) -> bool:
    """Whether the start and end of a file show the keys of one of the exports."""
    if not text.lstrip().startswith(("[", "{")) or has_key(text, "shapes", "["):
        return False
    is_full = has_key(text, "data", "{") and (has_key(text, "annotations", "[") or has_key(text, "completions", "["))
    is_full = is_full and any(has_key(text, key) for key in ("result", "was_cancelled", "from_name", "predictions"))
    return is_full or all(has_key(text, key) for key in ("annotation_id", "annotator", "lead_time"))
