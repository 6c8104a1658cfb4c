"""The feature extractors by name. A new one needs a class like those here, a line below and a file in conf/model."""

from __future__ import annotations

BACKBONES = {  # name in conf/model and in checkpoints -> subclass of model.backbone.Backbone, called with that name
    "resnet18": "resnet18_ocrdet.model.resnet.ResNetFeatures",
    "resnet34": "resnet18_ocrdet.model.resnet.ResNetFeatures",
    "resnet50": "resnet18_ocrdet.model.resnet.ResNetFeatures",
}
