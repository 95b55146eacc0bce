"""Unpacks the wheels that a machine without a package index lacks.

    python3 -m benchmarks.gpu.unpack

It needs nothing but Python. The wheels are in gpu-bundle/wheels, where `make
gpu-bundle` has put them. They come to gpu-site, for PYTHONPATH. That folder is
not in gpu-bundle, which is copied to machines and must stay small.
"""

import pathlib
import shutil
import sys
import zipfile

WHEELS = pathlib.Path("gpu-bundle/wheels")
SITE = pathlib.Path("gpu-site")


def unpack(wheels, site):
    """Unpacks the wheels of a folder into another; returns their names."""
    found = sorted(wheels.glob("*.whl"))
    shutil.rmtree(site, ignore_errors=True)
    for wheel in found:
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(site)
    return [wheel.name for wheel in found]


def misfits(names, version=sys.version_info):
    """Returns the names of wheels that another Python is needed for."""
    kinds = f"-cp{version[0]}{version[1]}-", "-abi3-", "-none-any."
    return [name for name in names if not any(k in name for k in kinds)]


def main():
    names = unpack(WHEELS, SITE)
    if not names:
        sys.exit(f"There are no wheels in {WHEELS}: run `make gpu-bundle`")
    if wrong := misfits(names):
        sys.exit(
            f"This is Python {sys.version_info[0]}.{sys.version_info[1]}, "
            f"which these wheels are not for: {', '.join(wrong)}"
        )
    print(f"{len(names)} wheels are in {SITE}.")


if __name__ == "__main__":
    main()
