"""Build backend: setuptools, after the stubs of proto/ are generated into hmacd._stubs.

A source distribution has the stubs and the license, so its build needs no other folder.
"""

import re
import shutil
import tempfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_FOLDER = Path(__file__).parent
_PROTO = _FOLDER / "../../proto"
_STUBS = _FOLDER / "src/hmacd/_stubs"
_LICENSE = _FOLDER / "../../LICENSE"
_NAMES = ("mac_service", "error_reason", "key_service", "key_metadata", "key_spec", "mac_algorithm")

if _LICENSE.exists():  # Here, because the metadata, which name the file, are made before all else.
    shutil.copy(_LICENSE, _FOLDER)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    generate()
    shutil.rmtree(_FOLDER / "build", ignore_errors=True)  # setuptools would keep deleted modules.
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    generate()
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    generate()
    return build_meta.build_sdist(sdist_directory, config_settings)


def generate():
    """Generates the messages and their types. The gRPC stubs are not necessary."""
    if not _PROTO.exists():
        return
    from grpc_tools import protoc  # A build of a source distribution does not need it.

    include = Path(protoc.__file__).parent / "_proto"
    files = [f"hmacd/v1/{name}.proto" for name in _NAMES]
    with tempfile.TemporaryDirectory() as out:
        options = [f"-I{_PROTO}", f"-I{include}", f"--python_out={out}", f"--pyi_out={out}"]
        if protoc.main(["protoc", *options, *files]) != 0:
            raise RuntimeError("protoc failed, see above")
        shutil.rmtree(_STUBS, ignore_errors=True)
        _STUBS.mkdir()
        for stub in Path(out).glob("hmacd/v1/*"):
            (_STUBS / stub.name).write_text(_moved(stub.read_text()))
    (_STUBS / "__init__.py").write_text('"""Generated messages of the contract hmacd.v1."""\n')


def _moved(text):
    """Moves a module from hmacd.v1 to hmacd._stubs.

    The descriptors keep the names of the contract: other stubs of it can be in the process.
    """
    text = re.sub(r"^from hmacd\.v1 import", "from hmacd._stubs import", text, flags=re.M)
    return re.sub(r"'hmacd\.v1\.(\w+_pb2)'", r"'hmacd._stubs.\1'", text)


if __name__ == "__main__":
    generate()
