"""Where the shipped `conf/` lies."""

from __future__ import annotations

from pathlib import Path


def conf_dir() -> Path:
    """Inside the installed package, else at the root of the checkout it was installed from."""
    here = Path(__file__).resolve()
    package, checkout = here.parents[1], here.parents[3]
    for folder in (package / "conf", checkout / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise FileNotFoundError(f"no conf/train.yaml in {package} or {checkout}: reinstall the package")
