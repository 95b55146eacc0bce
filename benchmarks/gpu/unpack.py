"""Unpacks the wheels that a machine without a package index lacks.

    python3 -m benchmarks.gpu.unpack

It needs nothing but Python. The wheels are in gpu-bundle/wheels, where `make
gpu-bundle` has put them. They come to gpu-bundle/site, for PYTHONPATH.
"""

import pathlib
import shutil
import sys
import zipfile

FOLDER = pathlib.Path("gpu-bundle")


def unpack(folder):
    """Unpacks the wheels of a folder into its `site`; returns their names."""
    wheels = sorted((folder / "wheels").glob("*.whl"))
    shutil.rmtree(folder / "site", ignore_errors=True)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder / "site")
    return [wheel.name for wheel in wheels]


if __name__ == "__main__":
    names = unpack(FOLDER)
    if not names:
        sys.exit(
            f"There are no wheels in {FOLDER}/wheels: run `make gpu-bundle`"
        )
    print(*names, sep="\n")
