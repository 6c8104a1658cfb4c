"""ResNet-18 DBNet text detection: train, evaluate, detect. Importing this does nothing."""

__version__ = "0.1.0"
