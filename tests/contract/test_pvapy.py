"""pvapy against the whole program: images as NTNDArray."""

from typing import Any

from .conftest import SHAPE
from .test_pvaccess import digest, taken

SCRIPT = "pvapy_script.py"


def test_images_arrive_whole(script: Any, ioc: Any) -> None:
    script("watch()")
    script("put('cam1:AcquireTime', 0.01)")
    number = script("next_image()")["uniqueId"]
    for _ in range(3):
        script("put('cam1:Acquire', 1)")
        image = script(f"next_image({number})")
        assert image["sha256"] == digest(taken(ioc))
        assert image["dimension"] == [SHAPE[1], SHAPE[0]]
        assert (image["field"], image["codec"]) == ("ushortValue", "")
        number = image["uniqueId"]
