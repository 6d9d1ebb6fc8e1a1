"""A beamline's newer client: ophyd-async's areaDetector classes in a bluesky RunEngine. Calls in, JSON out."""

import asyncio
import hashlib
import itertools
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import h5py
import numpy as np
import tifffile
from answering import answer, run_page
from astropy.io import fits
from bluesky import RunEngine
from bluesky import preprocessors as bpp
from bluesky.utils import RunEngineInterrupted
from ophyd_async.core import (
    DetectorTriggerLogic,
    StaticFilenameProvider,
    StaticPathProvider,
    TriggerInfo,
    init_devices,
    observe_value,
)
from ophyd_async.epics import adcore

PREFIX, FOLDER = sys.argv[1], Path(sys.argv[2])


class ArchonTriggers(DetectorTriggerLogic):
    """Archon counts its frames by itself."""

    def __init__(self, driver: adcore.ADBaseIO) -> None:
        self.driver = driver

    async def prepare_internal(self, num: int, livetime: float, deadtime: float) -> None:
        await adcore.prepare_exposures(self.driver, num, livetime, deadtime)

    async def default_trigger_info(self) -> TriggerInfo:
        return await adcore.trigger_info_from_num_images(self.driver)


def fits_files(provider: StaticPathProvider) -> adcore.ADWriterFactory[adcore.NDPluginFileIO]:
    """FITS files by ophyd-async's generic logic for one file per frame."""
    return adcore.ADWriterFactory(
        writer_cls=adcore.NDPluginFileIO, writer_suffix="FITS1:", writer_name="fits", datakey_suffix="",
        array_description=None,
        data_logic_factory=lambda writer, description, driver, plugins: adcore.ADMultipartDataLogic(
            array_description=description, path_provider=provider, writer=writer, extension=".fits",
            mimetype="multipart/related;type=image/fits",
        ),
    )  # fmt: skip


WRITERS = {"hdf": adcore.ADWriterFactory.hdf, "tiff": adcore.ADWriterFactory.tiff, "fits": fits_files}

engine = RunEngine(call_returns_result=False)
runs = iter(range(10_000))


def detector(kind: str, *, named: str = "") -> adcore.AreaDetector[adcore.ADBaseIO]:
    """Return a detector whose frames go to files of a new name, by one of the writers, or to none."""
    folder = FOLDER / "async"
    folder.mkdir(exist_ok=True)
    provider = StaticPathProvider(StaticFilenameProvider(named or f"run{next(runs)}"), folder)
    writers = [WRITERS[kind](provider)] if kind in WRITERS else []
    with init_devices():
        driver = adcore.ADBaseIO(PREFIX + "cam1:")
        ccd = adcore.AreaDetector(
            driver, PREFIX, *writers, acquire_logic=adcore.ADAcquireLogic(driver),
            trigger_logic=ArchonTriggers(driver), plugins={"stats": adcore.NDStatsIO(PREFIX + "Stats1:")}, name="ccd",
        )  # fmt: skip
    if not writers:
        ccd.add_detector_logics(adcore.PluginSignalDataLogic(driver, ccd.stats.total))
    return ccd


def restore_files() -> None:
    """Let the camera write its own FITS files as before: ophyd-async leaves names and modes as it has set them."""

    async def put() -> None:
        files = adcore.NDPluginFileIO(PREFIX + "FITS1:", name="files")
        await files.connect()
        await files.file_path.set(f"{FOLDER}/fits/")
        await files.file_name.set("archon")
        await files.file_template.set("%s%s_%4.4d.fits")
        await files.file_write_mode.set(adcore.ADFileWriteMode.SINGLE)

    asyncio.run_coroutine_threadsafe(put(), engine.loop).result()


def connects(name: str, suffix: str) -> bool:
    """Connect to everything that a class expects; raises what is missing or of another type."""

    async def connect() -> None:
        device = getattr(adcore, name)(PREFIX + suffix, name="part")
        await device.connect(timeout=10)

    return asyncio.run_coroutine_threadsafe(connect(), engine.loop).result() is None


def exposure(seconds: float = 0.01, **options: Any) -> TriggerInfo:
    return TriggerInfo(livetime=seconds, **options)


def count(kind: str, points: int, images: int = 1) -> dict[str, Any]:
    """Take points one by one."""
    ccd, documents = detector(kind), []
    plan = stepped(ccd, points, exposure(collections_per_event=images))
    engine(plan, lambda name, document: documents.append((name, document)))
    return read_back(documents)


def stepped(ccd: Any, points: int, info: TriggerInfo) -> Any:
    @bpp.stage_decorator([ccd])
    @bpp.run_decorator()
    def plan() -> Any:
        yield from bps.prepare(ccd, info, wait=True)
        for _ in range(points):
            yield from bps.trigger_and_read([ccd])

    return plan()


def counted(kind: str, points: int) -> dict[str, Any]:
    """Count by bluesky's own plan."""
    documents: list[tuple[str, dict[str, Any]]] = []
    engine(bp.count([detector(kind)], num=points), lambda name, document: documents.append((name, document)))
    return read_back(documents)


def fly(kind: str, frames: int) -> dict[str, Any]:
    """Take frames in one go while their documents are collected."""
    ccd, documents = detector(kind), []

    @bpp.stage_decorator([ccd])
    @bpp.run_decorator()
    def plan() -> Any:
        yield from bps.prepare(ccd, exposure(number_of_events=frames), wait=True)
        yield from bps.declare_stream(ccd, name="primary", collect=True)
        yield from bps.kickoff(ccd, wait=True)
        yield from bps.collect_while_completing([ccd], [ccd], flush_period=0.2, stream_name="primary")

    engine(plan(), lambda name, document: documents.append((name, document)))
    return read_back(documents)


def read_back(documents: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return what the documents say, with the frames of the files that they name."""
    named: dict[str, list[dict[str, Any]]] = {}
    for name, document in documents:
        named.setdefault(name, []).append(document)
    resources = {document["uid"]: document for document in named.get("stream_resource", [])}
    indices = [document["indices"] for document in named.get("stream_datum", [])]
    frames = [frame for resource in resources.values() for frame in read_frames(resource)]
    return {
        "exit": named["stop"][0]["exit_status"],
        "announced": indices[-1]["stop"] if indices else 0,
        "in_order": all(one["stop"] == other["start"] for one, other in itertools.pairwise(indices)),
        "events": len(named.get("event", [])),
        "frames": [digest(frame) for frame in frames],
        "shape": next((list(frame.shape) for frame in frames), None),
        "data_keys": named["descriptor"][0]["data_keys"] if "descriptor" in named else {},
        "values": [document["data"] for document in named.get("event", [])],
        "resources": list(resources.values()),
    }


def read_frames(resource: dict[str, Any]) -> list[Any]:
    """Return the frames of the files that a document names."""
    path = Path(unquote(urlparse(resource["uri"]).path))
    if resource["mimetype"] == "application/x-hdf5":
        with h5py.File(path, locking=False) as file:
            return list(file[resource["parameters"]["dataset"]])
    pattern = resource["parameters"]["template"]
    paths = (path / pattern.format(number) for number in range(100_000))
    read = tifffile.imread if "tiff" in resource["mimetype"] else fits.getdata
    frames = []
    while (path_of_frame := next(paths)).exists():
        frames.append(read(path_of_frame))
    return frames


def aborted(kind: str) -> dict[str, Any]:
    """Abort in the middle of a long exposure; return what the documents and the camera say then."""
    ccd, documents = detector(kind), []

    async def pause_when_exposing() -> None:
        async for state in observe_value(ccd.driver.detector_state):
            if state == adcore.ADState.ACQUIRE:
                await asyncio.to_thread(engine.request_pause)
                return

    def watch(name: str, document: dict[str, Any]) -> None:
        documents.append((name, document))
        if name == "start":
            asyncio.run_coroutine_threadsafe(pause_when_exposing(), engine.loop)

    try:
        engine(stepped(ccd, 1, exposure(600.0)), watch)
    except RunEngineInterrupted:
        engine.abort("the operator wants so")
    state = asyncio.run_coroutine_threadsafe(ccd.driver.detector_state.get_value(), engine.loop).result()
    return read_back(documents) | {"state": state.value}


def digest(frame: Any) -> str:
    """Return what tells one image from another."""
    return hashlib.sha256(np.ascontiguousarray(frame, "<u2").tobytes()).hexdigest()


def page() -> list[dict[str, Any]]:
    """Execute the page for users of ophyd-async; return what the documents of its two runs say."""
    names = run_page("ophyd-async.md", str(FOLDER / "page"))
    documents = names["documents"]
    second = [name for name, _ in documents].index("start", 1)
    return [read_back(documents[:second]), read_back(documents[second:])]


if __name__ == "__main__":
    answer(globals())
