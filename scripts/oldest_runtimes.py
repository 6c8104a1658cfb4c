"""Runs exported files in the oldest supported versions of the runtimes, installed in a temporary environment.

    python scripts/oldest_runtimes.py        # one line per file and runtime; exit 1 if one differs

This environment exports the bundled weights; the maps of a rendered scene are compared with those of its ONNX Runtime.
"""

import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

OLDEST = ("onnxruntime==1.17.*", "openvino==2023.3.*", "opencv-python-headless==4.10.*", "numpy<2")
FILES = {
    "fp32": (),
    "fp16": ("precision=fp16",),
    "int8": ("precision=int8", "input=scenes"),
    "hw": ("output_shape=hw", "input_dtype=float"),
}
ALLOWED = {"fp32": 1e-4, "fp16": 5e-3, "int8": 0.1, "hw": 1e-4}  # of a probability; int8 rounds differently
UNABLE = ("int8", "OpenCV 5")
SIZE = (352, 480)
SCENES = 8


def main() -> int:
    """Export, run both environments, compare. Returns the exit code."""
    from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
    from resnet18_ocrdet.viz.draw import write

    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scenes").mkdir()
        scenes = SyntheticScenes(SCENES, *SIZE, seed=1)
        for number in range(SCENES):
            write(folder / f"scenes/{number}.png", scenes.load(number).image)
        export = Path(sys.executable).with_name("ocrdet-export")
        for file, words in FILES.items():
            shape = f"input_size={SIZE[0]}x{SIZE[1]}"
            subprocess.run([export, f"output={file}.onnx", shape, *words], cwd=folder, check=True)
        venv.create(folder / "old", with_pip=True)
        old = folder / "old/bin/python"
        subprocess.run([old, "-m", "pip", "install", "--quiet", *OLDEST], check=True)
        subprocess.run([sys.executable, __file__, folder, "new"], check=True)
        subprocess.run([old, __file__, folder, "old"], check=True)
        return int(maps_differ(folder) | boxes_differ(folder, old))


def maps_differ(folder: Path) -> bool:
    """Print the differences of the maps from those of the newest ONNX Runtime. Returns whether one is too large."""
    failed = False
    for file in FILES:
        wanted = next(iter(np.load(folder / f"{file}-new.npz").values()))
        for environment in ("new", "old"):
            for runtime, prob_map in np.load(folder / f"{file}-{environment}.npz").items():
                known = file == UNABLE[0] and runtime.startswith(UNABLE[1])
                difference = np.abs(prob_map - wanted).max() if prob_map.shape == wanted.shape else np.inf
                failed |= not known and not difference <= ALLOWED[file]
                what = f"largest difference of a probability {difference:.1e}" if np.isfinite(difference) else "fails"
                print(f"{file:5} {runtime:20} {what}")
    return failed


def boxes_differ(folder: Path, old: Path) -> bool:
    """Run the example programs in both environments. Returns whether the scores of their boxes differ."""
    failed = False
    for script, file in (("plain_onnx.py", "fp32"), ("plain_opencv.py", "hw")):
        scores = []
        for python in (sys.executable, old):
            words = [python, Path(__file__).with_name(script), f"{file}.onnx", "scenes/0.png"]
            lines = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout.split()
            scores.append(sorted(float(line.split(",")[-1]) for line in lines))
        same = len(scores[0]) == len(scores[1]) > 0 and np.allclose(*scores, atol=0.01)
        print(f"{script:20} {len(scores[0])} and {len(scores[1])} boxes, scores {'agree' if same else 'differ'}")
        failed |= not same
    return failed


def maps(folder: Path, environment: str) -> None:
    """Write the map of each file by each runtime of this environment; an empty one where it fails."""
    import onnxruntime
    import openvino

    image = cv2.imread(str(folder / "scenes/0.png"))
    for file in FILES:
        path, found = str(folder / f"{file}.onnx"), {}
        pixels = cv2.dnn.blobFromImage(image, 1.0, SIZE[::-1], swapRB=True)
        pixels = pixels if file == "hw" else pixels.astype(np.uint8)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        found[f"ONNX Runtime {onnxruntime.__version__}"] = session.run(None, {"image": pixels})[0]
        hints = {"INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(path, "CPU", hints)
        found[f"OpenVINO {openvino.__version__.split('-')[0]}"] = compiled(pixels)[0]
        try:
            network = cv2.dnn.readNetFromONNX(path)
            network.setInput(pixels)
            found[f"OpenCV {cv2.__version__}"] = network.forward()
        except cv2.error:
            found[f"OpenCV {cv2.__version__}"] = np.zeros(0, np.float32)
        np.savez(folder / f"{file}-{environment}.npz", **found)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(main())
    maps(Path(sys.argv[1]), sys.argv[2])
