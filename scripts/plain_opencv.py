"""Boxes from an exported file with OpenCV only, by its TextDetectionModel_DB: an example for other programs.

    ocrdet-export output=model.onnx output_shape=hw input_dtype=float
    python scripts/plain_opencv.py model.onnx photo.jpg      # prints one line per box: x1,y1,...,x4,y4,score

All settings come from model.onnx.json, which ocrdet-export writes next to the model. OpenCV decodes in whole pixels and
scores a region by its outline, so boxes differ by a few pixels from the package's.
"""

import json
import math
import os
import sys
from pathlib import Path

import cv2


def main(model: str, photo: str) -> None:
    """Print the boxes of one photo."""
    card = json.loads(Path(model + ".json").read_text(encoding="utf-8"))
    contract, network_input = card["contract"], card["input"]
    if (image := cv2.imread(photo)) is None:
        sys.exit(f"{photo}: not an image")
    height, width, step = contract["height"], contract["width"], network_input["sides_multiple_of"]
    if network_input["shape"][2:] == ["height", "width"]:  # any size: the area of height x width
        scale = math.sqrt(height * width / (image.shape[0] * image.shape[1]))
        scale = min(scale, contract.get("max_scale", math.inf))
        height, width = (max(1, round(side * scale / step)) * step for side in image.shape[:2])
    detector = cv2.dnn.TextDetectionModel_DB(cv2.dnn.readNetFromONNX(model))
    detector.setInputParams(scale=1.0, size=(width, height), mean=(0, 0, 0), swapRB=True)
    detector.setBinaryThreshold(contract["bin_thresh"])
    detector.setPolygonThreshold(contract["box_thresh"])
    detector.setUnclipRatio(contract["unclip_ratio"])
    for corners, score in zip(*detector.detect(image), strict=True):
        print(",".join(map(str, corners.ravel())), f"{score:.4f}", sep=",")


if __name__ == "__main__":
    if len(sys.argv) != 3 or not all(map(os.path.isfile, (*sys.argv[1:], sys.argv[1] + ".json"))):
        sys.exit("usage: plain_opencv.py model.onnx photo.jpg, with model.onnx.json next to the model")
    main(*sys.argv[1:])
