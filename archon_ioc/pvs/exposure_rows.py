"""Rows of exposures beyond areaDetector: types, stop, a readout of its own, and clearing."""

from collections.abc import Callable
from typing import Any

from archon_ioc.exposure import kinds
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import LONGEST_EXPOSURE, MOST_FLUSHES
from archon_ioc.exposure.state import CameraState
from archon_ioc.pvs.array_rows import EXPOSURE_GROUP, NO_YES, CameraPv
from archon_ioc.pvs.row import Choice, Float, Int, Kind, Pv, Text


def _setting(
    name: str, kind: Kind, doc: str, field: str, *, more: str = "", convert: Callable[[Any], Any] = bool
) -> CameraPv:
    def put(operations: Operations, value: Any) -> None:
        operations.camera.change(**{field: convert(value)})

    def read(state: CameraState) -> Any:
        return getattr(state.settings, field)

    return Pv(name=name, kind=kind, doc=doc, group=EXPOSURE_GROUP, read=read, put=put, more=more)


def _choose_type(operations: Operations, name: str) -> None:
    operations.camera.change(**kinds.changes(name, operations.camera.state.exposure_types))


async def _stop(operations: Operations, start: int) -> None:
    if start:
        await operations.camera.stop()


async def _pause(operations: Operations, wanted: int) -> None:
    light = operations.camera.light
    await (light.pause() if wanted else light.resume())


async def _read(operations: Operations, start: int) -> None:
    if start:
        await operations.camera.read()


EXPOSURE_ROWS: tuple[CameraPv, ...] = (
    Pv(name="ArchonExposureType", kind=Text(), doc="What the next exposure is for", group=EXPOSURE_GROUP,
       read=lambda s: kinds.shown(s.settings), put=_choose_type,
       more="Sets FrameType too, whether the shutter opens, and IMAGETYP. A bias takes no time, whatever AcquireTime "
            "says. Putting FrameType chooses object, dark, bias or flat again."),
    Pv(name="ArchonExposureTypes", kind=Text(512), doc="Names that ArchonExposureType takes", group=EXPOSURE_GROUP,
       read=lambda s: ", ".join(s.exposure_types)),
    _setting("ArchonWithDark", NO_YES, "Each image is followed by a dark", "with_dark",
             more="Of the same length. One Acquire takes both, NumImages counts the pairs."),
    Pv(name="ArchonStop", kind=Choice(("Done", "Stop")), doc="End the exposure now, keep its light",
       group=EXPOSURE_GROUP, read=lambda _: 0, put=_stop, rbv=False,
       more="It is read out and saved, EXPTIME is what it became. A put with callback is answered then. Refused where "
            "the timing script reads out by itself only. Acquire=0 throws the light away."),
    Pv(name="ArchonPause", kind=NO_YES, doc="Whether the integration is paused", group=EXPOSURE_GROUP,
       read=lambda s: s.phase is Phase.PAUSED, put=_pause,
       more="Yes closes the shutter and lets the exposure wait, No lets it go on until it has the light that was "
            "planned. A put with callback is answered when that is so. Refused where nothing is integrated, or the "
            "timing script cannot. ArchonStop keeps the light, Acquire=0 throws it away."),
    Pv(name="ArchonPausedTime", kind=Float("s", 1), doc="Pauses of this exposure so far", group=EXPOSURE_GROUP,
       read=lambda s: s.paused_seconds),
    Pv(name="ArchonHookMessage", kind=Text(256), doc="What a hook did wrong", group=EXPOSURE_GROUP,
       read=lambda s: s.hook_problem,
       more="In the last acquisition: an error of the site's own code, which costs no image, or a time-out."),
    _setting("ArchonReadout", NO_YES, "Whether an exposure is read out", "readout",
             more="With No it stays on the CCD until ArchonRead, ArchonFlush or Acquire=0; Acquire is refused."),
    _setting("ArchonReadoutDelay", Float("s", 3, 0.0, LONGEST_EXPOSURE), "Between integration and readout",
             "readout_delay", more="With the shutter closed. ArchonStop ends it.", convert=float),
    Pv(name="ArchonRead", kind=Choice(("Done", "Read")), doc="Read out what is on the CCD", group=EXPOSURE_GROUP,
       read=lambda _: 0, put=_read, rbv=False,
       more="After an exposure with ArchonReadout=No. A put with callback is answered when the image is on disk."),
    Pv(name="ArchonReadoutPending", kind=NO_YES, doc="The CCD holds an exposure", group=EXPOSURE_GROUP,
       read=lambda s: s.phase is Phase.PENDING),
    Pv(name="ArchonFlush", kind=Choice(("Done", "Flush")), doc="Clear the CCD", group=EXPOSURE_GROUP,
       read=lambda _: 0, put=lambda o, value: o.clearing.flush(value), rbv=False,
       more="An exposure that was not read out is thrown away. A put with callback is answered when the timing script "
            "should be done, by its own times."),
    _setting("ArchonFlushCount", Int(low=1, high=MOST_FLUSHES), "How often ArchonFlush clears the CCD", "flush_count",
             convert=int),
    Pv(name="ArchonAutoFlush", kind=Choice(("No", "Yes", "As configured")), doc="Clear the CCD while idle",
       group=EXPOSURE_GROUP, read=lambda s: int(s.auto_flush),
       put=lambda o, value: o.clearing.set_automatic(value), more="Until the IOC is restarted."),
    _setting("ArchonAbortFlush", NO_YES, "Whether an abort clears the CCD", "abort_flush",
             more="ArchonFlushCount times, after Acquire=0."),
)  # fmt: skip
