"""Random metadata of checkpoints and exports: each is accepted, or refused in one line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoint_content import made
from hostile_files import card, raw
from resnet18_ocrdet.cli import _detect, _evaluate
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference.backends import KEY, read_card
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.model.checkpoint import check_content, load_checkpoint
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.model.metadata import check_about
from resnet18_ocrdet.model.recorded_config import recorded_config
from resnet18_ocrdet.model.release import without_paths
from resnet18_ocrdet.model.tensor_file import check_tensors
from resnet18_ocrdet.train.resume_state import check_parts
from resnet18_ocrdet.viz.draw import write

EXAMPLES = 400  # per test

TENSORS = st.sampled_from(
    [  # functions: torch warns when it creates some of these
        lambda: torch.zeros(()),
        lambda: torch.zeros(0),
        lambda: torch.full((2, 3, 3, 3), float("nan")),
        lambda: torch.zeros(1).expand(2**50),
        lambda: torch.zeros(3, device="meta"),
        lambda: torch.eye(2).to_sparse(),
        lambda: torch.eye(2).to_sparse_csr(),
        lambda: torch.quantize_per_tensor(torch.eye(2), 0.1, 0, torch.qint8),
        lambda: torch.zeros(2, dtype=torch.complex64),
        lambda: torch.zeros(2, dtype=torch.bool),
        lambda: torch.zeros(2, dtype=torch.float8_e4m3fn),
        lambda: torch.nn.Parameter(torch.zeros(2)),
        lambda: torch.zeros(2, dtype=torch.uint16),
    ]
).map(lambda make: make())
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 1, 10**400, 2**63, 1e308, -0.0]))
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *(
                "",
                "???",
                "${oc.env:HOME}",
                "\\${x}",
                "os.system",
                "1e5",
                "nan",
                "a\nb",
                "\x1b[2J",
                "\udc80",
                "x" * 20_000,
            ),
            *("torch.optim.SGD", "resnet18_ocrdet.data.splits.custom", "resnet18_ocrdet.data.splits.synthetic"),
        ]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
ANYTHING = st.recursive(
    st.one_of(LEAVES, TENSORS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(TEXTS, st.integers(), st.none()), inner, max_size=4),
        st.tuples(inner, inner),
    ),
    max_leaves=8,
)
JSON = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4))
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value."""
    found = [path] if path else []
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in items:
        found += places(value, (*path, key))
    return found


def changed(node: Any, path: tuple[Any, ...], value: Any, how: str) -> Any:
    """A copy in which one value is replaced or dropped, or a value is added."""
    if not path:
        return value
    made: Any = list(node) if isinstance(node, list | tuple) else dict(node)
    key = path[0]
    if len(path) > 1:
        made[key] = changed(made[key], path[1:], value, how)
    elif how == "drop":
        del made[key]
    elif how == "add" and isinstance(made, dict):
        made[value if isinstance(value, str | int | None) else "more"] = value
    else:
        made[key] = value
    return tuple(made) if isinstance(node, tuple) else made


def mutated(node: Any, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`node` with up to three changes, or an unrelated value."""
    ways = st.tuples(st.sampled_from(places(node)), values, st.sampled_from(["put", "put", "put", "drop", "add"]))

    def apply(changes: list[tuple[Any, Any, str]]) -> Any:
        made = node
        for path, value, how in changes:
            try:
                made = changed(made, path, value, how)
            except (KeyError, IndexError, TypeError, ValueError):
                continue  # an earlier change removed that path
        return made

    few, many = st.lists(ways, max_size=1).map(apply), st.lists(ways, min_size=1, max_size=3).map(apply)
    return st.one_of(few, few, few, many, values)


def fuzz(strategy: st.SearchStrategy[Any], examples: int = EXAMPLES) -> Any:
    """That many examples, the same ones in every run."""

    def mark(test: Any) -> Any:
        quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
        limited = settings(
            max_examples=examples, deadline=timedelta(seconds=5), derandomize=True, suppress_health_check=quiet
        )
        return pytest.mark.slow(pytest.mark.filterwarnings("ignore")(limited(given(strategy)(test))))

    return mark


def one_line(error: UserError) -> None:
    message = str(error)
    assert message and "\n" not in message and "\x1b" not in message and len(message) < 1500
    message.encode()


def is_json(value: Any) -> None:
    json.dumps(value, allow_nan=False)


CONTENT = raw()
DATA = {"_target_": "resnet18_ocrdet.data.splits.custom", "root": "x"}
MODEL = dict(list(CONTENT.pop("model").items())[:3])


@fuzz(mutated(CONTENT["contract"], ANYTHING))
def test_contracts(value: Any):
    try:
        contract = Contract.from_dict(value)
    except UserError as error:
        one_line(error)
        return
    is_json(contract.to_dict())
    assert Contract.from_dict(contract.to_dict()) == contract
    Decoder.of(contract)


@fuzz(
    st.one_of(mutated(CONTENT["config"], ANYTHING), mutated(CONTENT["config"] | {"data": DATA}, JSON)),
)
def test_recorded_configs(value: Any):
    try:
        config = recorded_config(value)
    except UserError as error:
        one_line(error)
        return
    is_json(config)
    assert recorded_config(config) == config
    assert without_paths(config)["data"] is None


@fuzz(
    mutated(
        {
            "version": "0",
            "git": None,
            "data": {"train": "a", "val": "b"},
            "taught": ["a", "b"],
            "adopted": "x",
            "start": {"hmean": 0.5, "weights": "x", "chosen": ["a"]},
        },
        ANYTHING,
    )
)
def test_abouts(value: Any):
    try:
        is_json(check_about(value))
    except UserError as error:
        one_line(error)


@fuzz(mutated(card(), JSON))
def test_cards(value: Any):
    try:
        text = json.dumps(value)
    except (ValueError, TypeError, RecursionError):  # a whole number with thousands of digits
        return
    try:
        is_json(read_card(Path("a.onnx"), {KEY: text}))
    except UserError as error:
        one_line(error)


@fuzz(mutated({**CONTENT, "model": MODEL}, ANYTHING))
def test_checkpoints(tmp_path_factory: Any, value: Any):
    path = tmp_path_factory.getbasetemp() / "fuzzed.pt"
    try:
        torch.save(value, path)
    except (RuntimeError, NotImplementedError, ValueError, TypeError, UnicodeEncodeError, OverflowError):
        return
    try:
        content = load_checkpoint(path)
    except UserError as error:
        one_line(error)
        return
    is_json([content[name] for name in ("contract", "config", "about", "epoch", "step", "best_hmean")])  # type: ignore[literal-required]
    assert all(tensor.layout is torch.strided for tensor in content["model"].values())


PARTS = {name: part for name, part in made()[0].items() if name not in ("model", "config", "contract", "about")}


@fuzz(mutated(PARTS, ANYTHING))
def test_resumes(value: Any):
    saved, own = made()
    whole = {**saved, **value} if isinstance(value, dict) else saved
    try:
        check_tensors(whole)
        check_content(whole)
        check_parts(whole, own)
    except UserError as error:
        one_line(error)


EXTREMES: list[dict[str, Any]] = [
    {"bin_thresh": 0.0, "box_thresh": 0.0},
    {"bin_thresh": 1.0},
    {"unclip_ratio": 10.0, "shape": "polygon"},
    {"unclip_ratio": 10.0, "unclip": "analytic"},
    {"max_candidates": 2**62},
    {"max_candidates": 1},
    {"std": [1e-3] * 3, "mean": [1.0] * 3},
    {"std": [255.0] * 3, "mean": [0.0] * 3},
    {"height": 32, "width": 4096, "resize": "stretch"},
    {"height": 32, "width": 32, "resize": "short_side"},
    {"min_text_size": 2.0**62, "shrink_ratio": 1e-300},
]


@pytest.mark.slow
@pytest.mark.parametrize("changes", EXTREMES, ids=lambda changes: ",".join(changes))
def test_extreme_contracts_give_valid_json(changes: dict[str, Any], tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.png", SyntheticScenes(1, 64, 96, seed=0).load(0).image)
    content = CONTENT | {"model": raw()["model"]}
    content["contract"] = CONTENT["contract"] | {"height": 64, "width": 96} | changes
    torch.save(content, tmp_path / "a.pt")
    assert run_command("detect", _detect, ["input=a.png", "checkpoint=a.pt", "output=found"]) == 0
    words = ["checkpoint=a.pt", "data=synthetic", "data.test_size=1", "data.height=64", "data.width=64", "workers=0"]
    words.append("output=score")
    assert run_command("eval", _evaluate, words) == 0

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for file in (*tmp_path.rglob("*.json"), *tmp_path.rglob("*.jsonl")):
        for text in file.read_text("utf-8").splitlines() if file.suffix == ".jsonl" else [file.read_text("utf-8")]:
            json.loads(text, parse_constant=refuse)
