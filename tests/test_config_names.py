"""How process variables are called."""

import pytest
import yaml

from archon_ioc.config import validated
from archon_ioc.config_names import OFF, NamesConfig
from archon_ioc.errors import ConfigError


@pytest.mark.parametrize("word", ["off", "'off'"])
def test_a_plugin_can_be_left_out(word: str) -> None:
    site = validated(yaml.safe_load(f"names: {{hdf: {word}}}"))
    assert site.names.hdf == OFF
    assert site.names.tiff == "TIFF1:"


def test_prefixes_are_those_of_areadetector() -> None:
    names = NamesConfig().model_dump()
    assert (names["camera"], names["image"], names["stats1"], names["hdf"]) == ("cam1:", "image1:", "Stats1:", "HDF1:")
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize(
    "wrong", [{"names": {"camera": "a b"}}, {"names": {"roi3": "ROI3:"}}, {"plugins": {"memory_mb": 0}}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        validated(wrong)
