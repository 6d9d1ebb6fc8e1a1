"""A beamline's client: ophyd's areaDetector classes in a bluesky RunEngine. Calls in, JSON out."""

import hashlib
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from answering import answer, run_page
from area_detector_handlers.handlers import AreaDetectorHDF5Handler, AreaDetectorTiffHandler
from bluesky import RunEngine
from bluesky import plans as bp
from bluesky.utils import RunEngineInterrupted
from event_model import Filler
from ophyd import AreaDetector, Device, SingleTrigger
from ophyd import Component as Cpt
from ophyd.areadetector import cam, plugins
from ophyd.areadetector.filestore_mixins import FileStoreHDF5IterativeWrite, FileStoreTIFFIterativeWrite
from ophyd.sim import motor

ACQUIRE = 1
"""DetectorState while light is collected."""
PREFIX, FOLDER = sys.argv[1], Path(sys.argv[2])
EVERY_PLUGIN = {
    "cam1:": (cam.CamBase, cam.CamBase),
    "image1:": (plugins.ImagePlugin, plugins.ImagePlugin_V34),
    "image2:": (plugins.ImagePlugin, plugins.ImagePlugin_V34),
    "ROI1:": (plugins.ROIPlugin, plugins.ROIPlugin_V34),
    "Stats1:": (plugins.StatsPlugin, plugins.StatsPlugin_V34),
    "Stats2:": (plugins.StatsPlugin, plugins.StatsPlugin_V34),
    "Proc1:": (plugins.ProcessPlugin, plugins.ProcessPlugin_V34),
    "Pva1:": (plugins.PvaPlugin, plugins.PvaPlugin_V34),
    "HDF1:": (plugins.HDF5Plugin, plugins.HDF5Plugin_V34),
    "TIFF1:": (plugins.TIFFPlugin, plugins.TIFFPlugin_V34),
}
"""ophyd's classes for what this IOC has, the plain one and the newest."""


class HdfFiles(plugins.HDF5Plugin_V34, FileStoreHDF5IterativeWrite):
    """HDF5 files, a new one for each run, whose frames become documents."""

    def get_frames_per_point(self) -> int:
        return int(self.parent.cam.num_images.get())


class TiffFiles(plugins.TIFFPlugin_V34, FileStoreTIFFIterativeWrite):
    """TIFF files, one for each frame."""

    def get_frames_per_point(self) -> int:
        return int(self.parent.cam.num_images.get())


class FitsPlugin(plugins.FilePlugin_V34):
    """The plugin that writes FITS; ophyd has no class of its own for it."""

    _plugin_type = "NDFileFITS"


class Camera(SingleTrigger, AreaDetector):
    """The camera with its viewers and statistics."""

    cam = Cpt(cam.CamBase, "cam1:")
    image = Cpt(plugins.ImagePlugin_V34, "image1:")
    roi = Cpt(plugins.ROIPlugin_V34, "ROI1:")
    stats = Cpt(plugins.StatsPlugin_V34, "Stats1:")
    fits = Cpt(FitsPlugin, "FITS1:")


class HdfCamera(Camera):
    """The camera whose frames go to HDF5 files."""

    hdf = Cpt(HdfFiles, "HDF1:", write_path_template=str(FOLDER / "hdf"), root="/")


class TiffCamera(Camera):
    """The camera whose frames go to TIFF files."""

    tiff = Cpt(TiffFiles, "TIFF1:", write_path_template=str(FOLDER / "tiff"), root="/")


engine = RunEngine(call_returns_result=False)
cameras: dict[str, Any] = {}


def camera(kind: str) -> Any:
    """Return the camera of one of the classes above, made when it is first wanted."""
    if kind not in cameras:
        made = {"plain": Camera, "hdf": HdfCamera, "tiff": TiffCamera}[kind](PREFIX, name="ccd")
        made.wait_for_connection(timeout=20)
        made.stats.kind = "hinted"
        made.stats.total.kind = "hinted"
        if kind != "plain":
            getattr(made, kind).kind = "normal"
        cameras[kind] = made
    return cameras[kind]


def unconnected(suffix: str, newest: bool) -> list[str]:
    """Return what one of ophyd's classes expects of a plugin and does not find."""
    parts = Cpt(EVERY_PLUGIN[suffix][newest], suffix)
    Device.lazy_wait_for_connection = False  # all at once
    try:
        device = type("Device", (AreaDetector,), {"part": parts})(PREFIX, name="device").part
        signals = [walk.item for walk in device.walk_signals(include_lazy=True)]
    finally:
        Device.lazy_wait_for_connection = True
    end = time.monotonic() + 5
    return sorted(signal.pvname.removeprefix(PREFIX) for signal in signals if not connects(signal, end))


def connects(signal: Any, end: float) -> bool:
    """Return whether a signal is connected until then."""
    try:
        signal.wait_for_connection(max(end - time.monotonic(), 0.01))
    except TimeoutError:
        return False
    return True


def run(plan: Any) -> list[tuple[str, dict[str, Any]]]:
    """Run a plan and return its documents."""
    documents: list[tuple[str, dict[str, Any]]] = []
    engine(plan, lambda name, document: documents.append((name, document)))
    return documents


def count(kind: str, points: int, images: int = 1, seconds: float = 0.01) -> dict[str, Any]:
    """Count with a camera and return what the documents say, with the frames as their consumers read them."""
    ccd = camera(kind)
    ccd.stage_sigs |= {"cam.num_images": images, "cam.acquire_time": seconds}
    return read_back(run(bp.count([ccd], num=points)))


def scan(kind: str, points: int) -> dict[str, Any]:
    """Scan a simulated motor."""
    ccd = camera(kind)
    ccd.stage_sigs |= {"cam.num_images": 1, "cam.acquire_time": 0.01}
    return read_back(run(bp.scan([ccd], motor, 0, 1, points)))


def read_back(documents: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Read the frames of a run by the handlers of area-detector-handlers."""
    handlers = {"AD_HDF5": AreaDetectorHDF5Handler, "AD_TIFF": AreaDetectorTiffHandler}
    found: dict[str, Any] = {"frames": [], "shapes": [], "total": [], "exit": ""}
    with Filler(handlers, inplace=False) as filler:
        for name, document in documents:
            _, filled = filler(name, document)
            if name == "event":
                pixels = filled["data"].get("ccd_image")
                if pixels is not None:
                    frames = np.asarray(pixels)
                    found["shapes"].append(frames.shape)
                    found["frames"] += [digest(frame) for frame in frames]
                found["total"].append(filled["data"].get("ccd_stats_total"))
            if name == "descriptor":
                found["described"] = document["data_keys"].get("ccd_image")
            if name == "stop":
                found["exit"] = document["exit_status"]
    return found


def digest(frame: Any) -> str:
    """Return what tells one image from another."""
    return hashlib.sha256(np.ascontiguousarray(frame, "<u2").tobytes()).hexdigest()


def interrupted(kind: str, points: int, after: int) -> dict[str, Any]:
    """Count, pause after so many events, resume, and return what the documents of all say."""
    ccd, documents = camera(kind), []
    ccd.stage_sigs |= {"cam.num_images": 1, "cam.acquire_time": 0.01}

    def watch(name: str, document: dict[str, Any]) -> None:
        documents.append((name, document))
        if name == "event" and document["seq_num"] == after:
            # Documents are made in the engine's own thread, which must not wait for itself.
            threading.Thread(target=engine.request_pause, args=(True,)).start()

    try:
        engine(bp.count([ccd], num=points), watch)
    except RunEngineInterrupted:
        engine.resume()
    return read_back(documents) | {"paused": engine.state}


def aborted(kind: str) -> dict[str, Any]:
    """Abort a long exposure; return what the documents and the camera say then."""
    ccd, documents = camera(kind), []
    ccd.stage_sigs["cam.acquire_time"] = 600.0

    def watch(value: Any = None, **_: Any) -> None:
        if value == ACQUIRE:
            engine.request_pause()

    ccd.cam.detector_state.subscribe(watch, run=False)
    try:
        engine(bp.count([ccd]), lambda name, document: documents.append((name, document)))
    except RunEngineInterrupted:
        engine.abort("the operator wants so")
    finally:
        ccd.cam.detector_state.clear_sub(watch)
        ccd.stage_sigs["cam.acquire_time"] = 0.01
    return read_back(documents) | {
        "state": ccd.cam.detector_state.get(as_string=True),
        "acquire": ccd.cam.acquire.get(),
    }


def image_of(kind: str) -> str:
    """Return the digest of the image that the viewer's plugin shows."""
    image = camera(kind).image
    size = image.array_size.get()
    return digest(image.array_data.get().reshape(size.height, size.width))


def settings(kind: str) -> dict[str, Any]:
    """Return what an operator sees of the camera's settings."""
    signals = camera(kind).cam
    return {name: getattr(signals, name).get() for name in ("acquire_time", "num_images", "image_mode", "trigger_mode")}


def run_region(kind: str) -> tuple[list[int], int]:
    """Take statistics of a binned region; return the region's size and the total of its pixels."""
    ccd = camera(kind)
    ccd.stats.nd_array_port.set(ccd.roi.port_name.get()).wait(10)
    for signal, value in ((ccd.roi.min_xyz.min_x, 8), (ccd.roi.size.x, 16), (ccd.roi.bin_.x, 2), (ccd.roi.size.y, 10)):
        signal.set(value).wait(10)
    try:
        total = count(kind, 1)["total"]
        return [ccd.roi.array_size.width.get(), ccd.roi.array_size.height.get()], total[0]
    finally:
        ccd.stats.nd_array_port.set(ccd.cam.port_name.get()).wait(10)


def page() -> dict[str, Any]:
    """Execute the page for users of ophyd; return the digests of the frames that it reads back."""
    names = run_page("ophyd.md", str(FOLDER / "page"))
    return {"frames": [digest(frame) for frames in names["frames"] for frame in frames]}


if __name__ == "__main__":
    answer(globals())
