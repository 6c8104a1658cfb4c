"""Boxes from an exported file with ONNX Runtime and OpenCV only: an example for other programs.

    python scripts/plain_onnx.py model.onnx photo.jpg        # prints one line per box: x1,y1,...,x4,y4,score

All settings come from model.onnx.json, which ocrdet-export writes next to the model. Decoding is that of
decode.unclip=analytic, without rounding to whole pixels, so a corner may differ by a pixel from the default's. Boxes
are listed by score, and corners as OpenCV returns them: the package sorts both (docs/detect.md).
"""

import json
import math
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime


def main(model: str, photo: str) -> None:
    """Print the boxes of one photo."""
    card = json.loads(Path(model + ".json").read_text(encoding="utf-8"))
    contract, network_input, sizes = card["contract"], card["input"], card["decode"]
    if (pixels := cv2.imread(photo)) is None:
        sys.exit(f"{photo}: not an image")
    image = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    height, width, (image_h, image_w) = contract["height"], contract["width"], image.shape[:2]
    scales = {
        "keep": 2 * (math.sqrt(height * width / (image_h * image_w)),),  # the area of height x width
        "short_side": 2 * (min(height, width) / max(min(image_h, image_w), max(image_h, image_w) / 16),),
        "stretch": (height / image_h, width / image_w),
        "fit": 2 * (min(height / image_h, width / image_w),),  # all of it within height x width
    }[contract["resize"]]
    if contract["resize"] != "stretch":
        scales = [min(scale, contract.get("max_scale", math.inf)) for scale in scales]
    h, w = (max(1, round(side * scale)) for side, scale in zip((image_h, image_w), scales, strict=True))
    scaled = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if min(scales) < 1 else cv2.INTER_LINEAR)
    step, filled = network_input["sides_multiple_of"], (height, width) if contract["resize"] == "fit" else (h, w)
    canvas = np.zeros((*(-(-side // step) * step for side in filled), 3), np.uint8)
    canvas[:h, :w] = scaled
    batch = canvas.transpose(2, 0, 1)[None].astype(np.uint8 if network_input["dtype"] == "uint8" else np.float32)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    output = session.run(None, {network_input["name"]: batch})[0]
    prob_map = output.reshape(output.shape[-2:])[:h, :w]  # (1, 1, H, W), or (H, W)
    bitmap = (prob_map > contract["bin_thresh"]).astype(np.uint8)
    contours, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours[: contract["max_candidates"] if contract.get("candidates") == "first" else None]:
        centre, (a, b), angle = cv2.minAreaRect(contour)
        if min(a, b) < sizes["min_side"]:
            continue
        mask = cv2.fillPoly(np.zeros_like(bitmap), [cv2.boxPoints((centre, (a, b), angle)).astype(np.int32)], 1)
        score = cv2.mean(prob_map, mask)[0]
        grow = 2 * (a * b * contract["unclip_ratio"] / (2 * (a + b)))  # both sides by area * ratio / perimeter
        if score >= contract["box_thresh"] and min(a, b) + grow >= sizes["min_unclipped_side"]:
            corners = cv2.boxPoints((centre, (a + grow, b + grow), angle)) * (image_w / w, image_h / h)
            found.append((score, corners))
    for score, corners in sorted(found, key=lambda each: -each[0])[: contract["max_candidates"]]:
        print(",".join(f"{value:.1f}" for value in corners.ravel()), f"{score:.4f}", sep=",")


if __name__ == "__main__":
    if len(sys.argv) != 3 or not all(map(os.path.isfile, (*sys.argv[1:], sys.argv[1] + ".json"))):
        sys.exit("usage: plain_onnx.py model.onnx photo.jpg, with model.onnx.json next to the model")
    main(*sys.argv[1:])
