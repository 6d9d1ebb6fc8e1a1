"""TIFF files, read back."""

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from archon_ioc.errors import SaveError
from archon_ioc.plugins.ndarray import DATA_TYPES, EPICS_EPOCH, Attribute
from archon_ioc.plugins.ndfile_state import NDFileSettings
from archon_ioc.plugins.tiff import TiffPlugin, TiffWriter
from tests.plugins.arrays import array

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("dtype", DATA_TYPES.values(), ids=DATA_TYPES)
def test_every_type_of_pixels_can_be_read_back(tmp_path: Path, dtype: np.dtype[np.generic]) -> None:
    image = array(3, (5, 7), dtype.name)
    TiffWriter(tmp_path / "a.tiff", tmp_path / "a.tiff").write(image)
    read = tifffile.imread(tmp_path / "a.tiff")
    np.testing.assert_array_equal(read, image.pixels)
    assert read.dtype == dtype


def test_what_is_known_of_an_image_is_in_tags(tmp_path: Path) -> None:
    attributes = {
        "Model": Attribute("Archon"), "Manufacturer": Attribute("STA"), "Gain": Attribute(1.5),
        "TIFFImageDescription": Attribute("a star"), "Counter": Attribute(7),
    }  # fmt: skip
    image = replace(
        array(9), timestamp=EPICS_EPOCH + 1.5, published=EPICS_EPOCH + 2.25, attributes=attributes
    )  # fmt: skip
    TiffWriter(tmp_path / "a.tiff", tmp_path / "a.tiff").write(image)
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        tags = {tag.code: tag.value for tag in file.pages.first.tags}
    assert [tags[code] for code in (65000, 65001, 65002, 65003)] == [1.5, 9, 2, 250_000_000]
    assert [tags[code] for code in (65010, 65011)] == ["Counter:7", "Gain:1.500000"]
    assert [tags[code] for code in (270, 271, 272)] == ["a star", "STA", "Archon"]


def test_a_file_that_cannot_be_written_is_called_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match=r"cannot write /x/a.tiff: No such file"):
        TiffWriter(tmp_path / "none" / ".a.part", Path("/x/a.tiff")).write(array())


FULL = """
import resource, sys
from pathlib import Path
from archon_ioc.errors import SaveError
from archon_ioc.plugins.tiff import TiffWriter
from tests.plugins.arrays import array

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    TiffWriter(Path(sys.argv[1]), Path("a.tiff")).write(array(1, (200, 200)))
except SaveError as error:
    print(error)
"""


def test_a_file_for_which_there_is_no_room(tmp_path: Path) -> None:
    path = str(tmp_path / "a.tiff")
    done = subprocess.run([sys.executable, "-c", FULL, path], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "cannot write a.tiff: File too large\n"


def test_disks_that_reserve_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "it does not")

    monkeypatch.setattr(os, "posix_fallocate", none)
    TiffWriter(tmp_path / "a.tiff", tmp_path / "a.tiff").write(array(3))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tiff"), array(3).pixels)


async def test_the_plugin_writes_a_file_for_each_image(tmp_path: Path) -> None:
    plugin = TiffPlugin("TIFF", NDFileSettings(path=f"{tmp_path}/", template="%s%s_%3.3d.tiff", auto_save=True))
    for number in (1, 2):
        await plugin.process(array(number))
        assert plugin.state.full_name == f"{tmp_path}/archon_{number:03}.tiff"
    np.testing.assert_array_equal(tifffile.imread(plugin.state.full_name), array(2).pixels)
    assert plugin.plugin_type == "NDFileTIFF"
