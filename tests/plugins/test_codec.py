"""Codecs of images."""

import numpy as np
import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.codec import CODECS, compressed, is_available


@pytest.mark.parametrize("codec", CODECS)
def test_all_codecs_are_installed_for_tests(codec: str) -> None:
    assert is_available(codec)


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(InputError, match="'zip' is not available"):
        compressed(np.zeros(4, np.uint16), "zip")
