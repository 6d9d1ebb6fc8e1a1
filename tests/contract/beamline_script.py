"""What beamlines have beside ophyd: nslsii and apstools, and tiled's readers. Calls in, JSON out."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from answering import answer
from apstools.devices import CamMixin_V34, SingleTrigger_V34, ad_creator
from apstools.devices.area_detector_support import (
    AD_EpicsFileNameHDF5Plugin,
    AD_EpicsFileNameTIFFPlugin,
    AD_plugin_primed,
)
from area_detector_handlers.handlers import AreaDetectorHDF5Handler, AreaDetectorTiffHandler
from bluesky import RunEngine
from bluesky import plans as bp
from bluesky.consolidators import consolidator_factory
from event_model import Filler
from nslsii.ad33 import CamV33Mixin, SingleTriggerV33, StatsPluginV33
from ophyd import AreaDetector, DetectorBase
from ophyd import Component as Cpt
from ophyd.areadetector import cam, plugins
from ophyd_script import digest
from tiled.adapters.tiff import TiffSequenceAdapter

PREFIX, FOLDER = sys.argv[1], Path(sys.argv[2])
FILES = {"hdf1": AD_EpicsFileNameHDF5Plugin, "tiff1": AD_EpicsFileNameTIFFPlugin}
HANDLERS = {"AD_HDF5": AreaDetectorHDF5Handler, "AD_TIFF": AreaDetectorTiffHandler}


class NslsCam(CamV33Mixin, cam.CamBase):
    """The camera as NSLS-II has it."""


class NslsCamera(SingleTriggerV33, AreaDetector):
    """A camera that is done when its put-callback says so."""

    cam = Cpt(NslsCam, "cam1:")
    image = Cpt(plugins.ImagePlugin_V34, "image1:")
    stats = Cpt(StatsPluginV33, "Stats1:")


engine = RunEngine(call_returns_result=False)
cameras: dict[str, Any] = {}


def nsls() -> Any:
    """Return the camera of NSLS-II, made when it is first wanted."""
    if "nsls" not in cameras:
        made = NslsCamera(PREFIX, name="ccd")
        made.wait_for_connection(timeout=20)
        made.stats.kind = made.stats.total.kind = "hinted"
        cameras["nsls"] = made
    return cameras["nsls"]


def aps(plugin: str) -> Any:
    """Return the camera as the APS makes one, with a file plugin that takes names from the IOC."""
    if plugin not in cameras:
        folder = f"{FOLDER}/aps/"
        parts = [
            {"cam": {"class": CamMixin_V34}},
            "image", "pva", "roi1", "stats1",
            {plugin: {"class": FILES[plugin], "write_path_template": folder, "read_path_template": folder}},
        ]  # fmt: skip
        made = ad_creator(PREFIX, name="ccd", bases=(SingleTrigger_V34, DetectorBase), plugins=parts)
        made.wait_for_connection(timeout=20)
        files = getattr(made, plugin)
        files.create_directory.set(-5).wait(10)
        files.file_path.set(folder).wait(10)
        files.file_name.set("aps").wait(10)
        files.file_template.set("%s%s_%6.6d." + ("h5" if plugin == "hdf1" else "tiff")).wait(10)
        files.kind = "normal"
        cameras[plugin] = made
    return cameras[plugin]


def primed(plugin: str) -> bool:
    """Return whether apstools thinks that a plugin is ready to write."""
    return AD_plugin_primed(getattr(aps(plugin), plugin))


def nsls_count(points: int, images: int) -> dict[str, Any]:
    ccd = nsls()
    ccd.stage_sigs |= {"cam.num_images": images, "cam.acquire_time": 0.01}
    before = ccd.cam.array_counter.get()
    found = read_back(run(bp.count([ccd], num=points)))
    return found | {"frames_taken": ccd.cam.array_counter.get() - before}


def aps_count(plugin: str, images: int) -> dict[str, Any]:
    """Take one point of several images; apstools means by ``num_capture`` those of a point."""
    ccd = aps(plugin)
    files = getattr(ccd, plugin)
    ccd.stage_sigs |= {"cam.num_images": images, "cam.acquire_time": 0.01, "cam.wait_for_plugins": "Yes"}
    files.stage_sigs["num_capture"] = images
    files.stage_sigs.move_to_end("capture", last=True)
    documents = run(bp.count([ccd]))
    if plugin == "hdf1":
        return read_back(documents)
    # apstools says too little for a handler of TIFF files.
    frames = [digest(tifffile.imread(path)) for path in sorted((FOLDER / "aps").glob("*.tiff"))]
    return {"exit": documents[-1][1]["exit_status"], "frames": frames}


def aps_triggers(points: int) -> dict[str, Any]:
    """Take points one by one, without files."""
    if "triggers" not in cameras:
        parts = [{"cam": {"class": CamMixin_V34}}, "image", "stats1"]
        cameras["triggers"] = ad_creator(PREFIX, name="ccd", bases=(SingleTrigger_V34, DetectorBase), plugins=parts)
        cameras["triggers"].stats1.kind = cameras["triggers"].stats1.total.kind = "hinted"
    ccd = cameras["triggers"]
    ccd.stage_sigs |= {"cam.num_images": 1, "cam.acquire_time": 0.01, "cam.wait_for_plugins": "Yes"}
    before = ccd.cam.array_counter.get()
    found = read_back(run(bp.count([ccd], num=points)))
    return found | {"frames_taken": ccd.cam.array_counter.get() - before}


def run(plan: Any) -> list[tuple[str, dict[str, Any]]]:
    documents: list[tuple[str, dict[str, Any]]] = []
    engine(plan, lambda name, document: documents.append((name, document)))
    return documents


def read_back(documents: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Read the frames of a run by the handlers of area-detector-handlers."""
    found: dict[str, Any] = {"frames": [], "events": []}
    with Filler(HANDLERS, inplace=False) as filler:
        for name, document in documents:
            _, filled = filler(name, document)
            if name == "event":
                found["events"].append({key: value for key, value in filled["data"].items() if "image" not in key})
                pixels = filled["data"].get("ccd_image")
                found["frames"] += [digest(frame) for frame in np.asarray(pixels)] if np.ndim(pixels) else []
            if name == "stop":
                found["exit"] = document["exit_status"]
    return found


def tiled_frames(resource: dict[str, Any], key: dict[str, Any], points: int) -> list[str]:
    """Return the digests of the frames of an ophyd-async run as tiled's adapters read them."""
    descriptor = {"data_keys": {resource["data_key"]: key}, "uid": "one", "name": "primary"}
    consolidator = consolidator_factory(resource, descriptor)
    consolidator.consume_stream_datum(
        {
            "stream_resource": resource["uid"], "uid": f"{resource['uid']}/0", "descriptor": "one",
            "indices": {"start": 0, "stop": points}, "seq_nums": {"start": 1, "stop": points + 1},
        }
    )  # fmt: skip
    if "tiff" in resource["mimetype"]:  # bluesky's data source lacks what tiled wants there
        adapter = TiffSequenceAdapter.from_uris(*(asset.data_uri for asset in consolidator.assets))
    else:
        adapter = consolidator.get_adapter()
    pixels = np.asarray(adapter.read())
    return [digest(frame) for frame in pixels.reshape(-1, *pixels.shape[-2:])]


if __name__ == "__main__":
    answer(globals())
