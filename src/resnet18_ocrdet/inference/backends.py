"""Opens exported files, and the libraries that run them: optional, imported when a file needs them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from numpy.typing import NDArray

from ..errors import UserError
from ..model.metadata import check_metadata
from ..runtime.forks import keep_in_children
from ..runtime.messages import one_line
from .exported import ExportedFile, Run, limit_opening, short_reason

KEY = "resnet18_ocrdet"  # of the metadata in the file: the card as JSON
FORMAT = 1  # of the card, and of the JSON file next to the exported one
EXTRAS = {"onnxruntime": "export", "openvino": "openvino"}  # runtime -> the extra that installs it; preferred first
OPENVINO_KERNELS = 200  # kept, each for one size of image; by default 5000
PRECISIONS = {"onnxruntime": ("fp32",), "openvino": ("fp32", "bf16")}
REDUCED = ("int8", "fp16")  # of a file's own operations: they run in no other precision

Opened = tuple[Mapping[str, str], Callable[[str], Run], Callable[[], None]]  # metadata; start and stop of ExportedFile


def open_exported(path: Path, runtime: str = "auto", threads: int | None = None) -> ExportedFile:
    """Open a file written by ocrdet-export.

    runtime: "onnxruntime", "openvino", or "auto" for the first one that is installed. threads: of the runtime; None:
    one per core.
    Raises UserError for a file of another program, and if the runtime is not installed."""
    installed = [name for name in EXTRAS if find_spec(name) is not None]
    if runtime == "auto":
        if not installed:
            raise UserError(f"{path}: needs ONNX Runtime: pip install 'resnet18-ocrdet[{EXTRAS['onnxruntime']}]'")
        runtime = installed[0]
    if runtime not in installed:
        raise UserError(f"runtime={runtime}: not installed: pip install 'resnet18-ocrdet[{EXTRAS[runtime]}]'")
    opener = {"onnxruntime": _onnxruntime, "openvino": _openvino}[runtime]
    metadata, start, stop = limit_opening(path, lambda: opener(path, threads or 0))
    return ExportedFile(path, runtime, read_card(path, metadata), start, stop)


def read_card(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The card in the metadata of `path`. Raises UserError if there is none, or it is not valid."""
    try:
        card = json.loads(metadata[KEY])
    except (KeyError, ValueError, RecursionError):
        card = None
    if not isinstance(card, dict) or not {"contract", "input", "config", "about"} <= card.keys():
        raise UserError(f"{path}: not written by ocrdet-export: no contract in its metadata")
    try:
        return _checked(card)
    except UserError as error:
        raise UserError(f"{path}: {one_line(str(error), 1000)}") from None


def _checked(card: dict[str, Any]) -> dict[str, Any]:
    version = card.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError("its card has no format")
    if version > FORMAT:
        raise UserError(f"its card has format {version}, newer than this version's {FORMAT}; upgrade")
    metadata = check_metadata(card["contract"], card["config"], card["about"])
    network_input = card["input"]
    if not isinstance(network_input, dict) or network_input.get("dtype") not in ("uint8", "float"):
        raise UserError("its card: input.dtype is neither uint8 nor float")
    height, width = metadata["contract"]["height"], metadata["contract"]["width"]
    shapes = (["batch", 3, "height", "width"], [1, 3, "height", "width"], [1, 3, height, width])
    if network_input.get("shape") not in shapes:
        raise UserError(f"its card: input.shape is neither one image of {height}x{width} nor any size")
    return {**card, **metadata}


def _onnxruntime(path: Path, threads: int) -> Opened:
    import onnxruntime

    options, passes = onnxruntime.SessionOptions(), onnxruntime.RunOptions()
    options.log_severity_level = passes.log_severity_level = 4  # errors are raised anyway
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False  # it keeps a plan of the memory for each size of image

    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a type for each reason
        raise UserError(f"{path}: ONNX Runtime cannot open it ({short_reason(error)})") from None
    _require_one(path, len(session.get_inputs()), len(session.get_outputs()))
    name, process = session.get_inputs()[0].name, os.getpid()

    def start(_: str) -> Run:
        if os.getpid() != process:  # even a new session could not end: the library waits for threads of its own
            raise UserError(
                f"{path}: ONNX Runtime cannot be used after a fork: open the detector only in the new process, or "
                f"use runtime=openvino or a .pt"
            )
        return lambda images: session.run(None, {name: images}, passes)[0]

    def stop() -> None:
        passes.terminate = True

    return session.get_modelmeta().custom_metadata_map, start, stop


def _openvino(path: Path, threads: int) -> Opened:
    import openvino

    try:
        core = openvino.Core()
        model = core.read_model(path)
        framework = ["framework", KEY]  # where it keeps the metadata of ONNX
        metadata = {KEY: model.get_rt_info(framework).astype(str)} if model.has_rt_info(framework) else {}
    except Exception as error:
        raise UserError(f"{path}: OpenVINO cannot open it ({short_reason(error)})") from None
    _require_one(path, len(model.inputs), len(model.outputs))

    def start(precision: str) -> Run:
        hints: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "CPU_RUNTIME_CACHE_CAPACITY": OPENVINO_KERNELS,
        }
        try:
            request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()
        except Exception as error:
            raise UserError(f"{path}: OpenVINO cannot compile it ({short_reason(error)})") from None
        keep_in_children(request)
        lock = Lock()  # a request holds one image at a time, and uses all cores

        def run(images: NDArray[Any]) -> Any:
            with lock:
                return request.infer({0: images})[0]

        return run

    return metadata, start, lambda: None  # a loop that has started cannot be stopped


def _require_one(path: Path, inputs: int, outputs: int) -> None:
    if (inputs, outputs) != (1, 1):
        raise UserError(f"{path}: not written by ocrdet-export: {inputs} inputs and {outputs} outputs, not one of each")
