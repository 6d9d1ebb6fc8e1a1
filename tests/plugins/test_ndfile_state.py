"""Settings of file plugins, and what images want."""

from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.errors import InputError
from archon_ioc.exposure.settings import FileWriteMode
from archon_ioc.plugins.ndarray import Attribute, NDArray
from archon_ioc.plugins.ndfile_state import (
    NDFileSettings,
    driver_file,
    is_last,
    is_meant_for,
    names_its_file,
    steered,
)
from tests.plugins.arrays import array


def wanting(**attributes: float | int | str) -> NDArray:
    return replace(array(), attributes={name: Attribute(value) for name, value in attributes.items()})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"number": -1}, "a file number is 0 to"),
        ({"number": 1 << 31}, "a file number is 0 to"),
        ({"num_capture": -1}, "0 for no end"),
        ({"temp_suffix": "/x"}, "not an ending"),
        ({"temp_suffix": "x" * 40}, "not an ending"),
        ({"template": "%s%s_%f"}, "'%d' is possible here"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        NDFileSettings().changed(**changes)


def test_settings_are_as_they_are_shown() -> None:
    settings = NDFileSettings().changed(path="/x//", write_mode=2, template="%s%s.h5", name="")
    assert (settings.path, settings.write_mode) == ("/x/", FileWriteMode.STREAM)


def test_what_an_image_wants_of_file_plugins() -> None:
    assert is_meant_for(array(), "HDF1")
    assert is_meant_for(wanting(FilePluginDestination="hdf1"), "HDF1")
    assert not is_meant_for(wanting(FilePluginDestination="TIFF1"), "HDF1")
    assert names_its_file(wanting(FilePluginFileName="x"))
    assert not names_its_file(array())
    assert is_last(wanting(FilePluginClose=1))
    assert not is_last(wanting(FilePluginClose=0))
    assert driver_file(wanting(DriverFileName="/x")) == "/x"
    assert driver_file(array()) == ""


def test_name_and_number_of_an_image() -> None:
    settings = NDFileSettings()
    assert steered(settings, array()) == settings
    new = steered(settings, wanting(FilePluginFileName="x", FilePluginFileNumber=7))
    assert (new.name, new.number, new.auto_increment) == ("x", 7, False)
    with pytest.raises(InputError, match="file number"):
        steered(settings, wanting(FilePluginFileNumber=-1))
