"""Rules on frames: taps, geometry, sampling, and whether the script clocks enough for a frame."""

from collections import defaultdict
from collections.abc import Iterator

from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.keyspec import is_comment
from archon_ioc.acf.rules.values import shown
from archon_ioc.acf.subject import Subject
from archon_ioc.protocol.enums import ModuleType

INCOMPLETE = frozenset({"frame-too-large", "no-frame", "too-few-pixels", "too-few-lines", "frame-incomplete"})
"""The kinds of findings that keep frames from being whole."""
_MIB = 1 << 20
_BUFFER = {False: 512 * _MIB, True: 768 * _MIB}  # manual, BIGBUF
_SPLIT = 2
_RAW_BLOCK = 2048  # bytes of 1024 raw samples, 16 bits each in either sample mode
_CONVERTERS = {
    "AD": (ModuleType.AD, ModuleType.ADF, ModuleType.ADX, ModuleType.ADLN, ModuleType.ADQ),
    "AM": (ModuleType.ADM,),
}


def _no_taps(subject: Subject) -> Iterator[Found]:
    if not subject.taps:
        yield Found("TAPLINES", "there is no tap: frames have no pixels")


def _tap_slot(subject: Subject) -> Iterator[Found]:
    for key, tap in subject.taps:
        kind = subject.module(tap.slot)
        if kind not in (*_CONVERTERS[tap.kind], ModuleType.UNKNOWN):
            what = "empty" if kind is ModuleType.NONE else f"of type {kind.label}"
            yield Found(key, f"{tap.name} is in slot {tap.slot}, which is {what}")


def _duplicate_tap(subject: Subject) -> Iterator[Found]:
    keys: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for key, tap in subject.taps:
        keys[tap.kind, tap.channel].append(key)
    for (kind, channel), found in keys.items():
        for key in found[1:]:
            yield Found(key, f"channel {kind}{channel} is in {found[0]} already")


def _odd_taps(subject: Subject) -> Iterator[Found]:
    if _is_split(subject) and len(subject.taps) % 2:
        yield Found("TAPLINES", f"{len(subject.taps)} taps cannot be split into an upper and a lower half")


def _is_split(subject: Subject) -> bool:
    return subject.count("FRAMEMODE") == _SPLIT


def _uneven_halves(subject: Subject) -> Iterator[Found]:
    """Find empty entries that shift taps to the other half: they add no columns."""
    texts = [subject.keys.get(f"TAPLINE{n}", "") for n in range(min(subject.count("TAPLINES"), 256))]
    used = [not is_comment(text) for text in texts]
    if not _is_split(subject) or sum(used) % 2:
        return
    middle = len(used) // 2
    upper, lower = sum(used[:middle]), sum(used[middle:])
    if abs(upper - lower) > len(used) % 2:
        empty = shown([f"TAPLINE{n}" for n, is_used in enumerate(used) if not is_used])
        why = f"{upper} taps are in the first half of the list, {lower} in the second; {empty} are empty"
        yield Found("TAPLINES", f"{why}, and empty entries do not count: {sum(used) // 2} are read to each half")


def _image_bytes(subject: Subject) -> int:
    pixels = subject.count("PIXELCOUNT") * subject.count("LINECOUNT") * len(subject.taps)
    return pixels * (4 if subject.count("SAMPLEMODE") == 1 else 2)


def _frame_size(subject: Subject) -> Iterator[Found]:
    pixels, lines, taps = subject.count("PIXELCOUNT"), subject.count("LINECOUNT"), len(subject.taps)
    size, is_big = _image_bytes(subject), subject.count("BIGBUF") == 1
    if size > _BUFFER[is_big]:
        why = f"a frame has {size / _MIB:.0f} MiB, a buffer {_BUFFER[is_big] // _MIB} MiB"
        remedy = "Set BIGBUF=1." if not is_big and size <= _BUFFER[True] else ""
        yield Found("PIXELCOUNT", f"{why} (PIXELCOUNT={pixels} x LINECOUNT={lines} x {taps} taps)", remedy)


def _raw_size(subject: Subject) -> Iterator[Found]:
    """Find raw samples that do not fit behind the image: both begin at a whole block (manual, RAWSAMPLES)."""
    image, buffer = _image_bytes(subject), _BUFFER[subject.count("BIGBUF") == 1]
    lines = min(subject.count("RAWENDLINE"), subject.count("LINECOUNT") - 1) - subject.count("RAWSTARTLINE") + 1
    blocks = -(-2 * subject.count("RAWSAMPLES") // _RAW_BLOCK)
    if subject.count("RAWENABLE") != 1 or lines < 1 or blocks < 1 or image > buffer:
        return
    raw, room = lines * blocks * _RAW_BLOCK, buffer - -(-image // _RAW_BLOCK) * _RAW_BLOCK
    if raw > room:
        why = f"{lines} lines of {blocks} blocks of raw samples have {raw / _MIB:.1f} MiB"
        yield Found("RAWSAMPLES", f"{why}, behind the image in its buffer there is room for {room / _MIB:.1f} MiB")


def _windows(subject: Subject) -> Iterator[tuple[str, int, int]]:
    for name in ("SHP", "SHD"):
        if f"{name}1" in subject.keys and f"{name}2" in subject.keys:
            yield name, subject.count(f"{name}1"), subject.count(f"{name}2")


def _empty_window(subject: Subject) -> Iterator[Found]:
    for name, first, last in _windows(subject):
        if last < first:
            yield Found(f"{name}1", f"{name}1={first} and {name}2={last}: the window ends before it begins")


def _window_order(subject: Subject) -> Iterator[Found]:
    windows = {name: (first, last) for name, first, last in _windows(subject)}
    if len(windows) == len(("SHP", "SHD")) and windows["SHD"][0] < windows["SHP"][1]:
        why = f"SHD1={windows['SHD'][0]} is before SHP2={windows['SHP'][1]}"
        yield Found("SHD1", f"{why}: the reset level is sampled first, then the video level")


def _window_beyond_pixel(subject: Subject) -> Iterator[Found]:
    period = subject.readout.pixel.ticks if subject.readout and subject.readout.pixel else None
    for name, _, last in _windows(subject) if period else ():
        if period is not None and last > period:
            yield Found(f"{name}2", f"{name}2={last}, but the next pixel begins after {period} ticks of 10 ns")


def _no_frame(subject: Subject) -> Iterator[Found]:
    if subject.is_rehearsed and subject.readout is None:
        yield Found("LINES", "the script, asked for a frame, never raises PIXEL while FRAME is high")


def _not_followed(subject: Subject) -> Iterator[Found]:
    if why := subject.why_not_rehearsed:
        unknown = "how many pixels and lines it clocks, whether frames complete, and how long anything takes"
        yield Found("LINES", f"{why}: {unknown}, is not known and not checked")


def _too_few_pixels(subject: Subject) -> Iterator[Found]:
    wanted = subject.count("PIXELCOUNT")
    if subject.readout and not subject.readout.completes and subject.readout.pixels < wanted:
        why = f"the script clocks {subject.readout.pixels} pixels per line, PIXELCOUNT={wanted}"
        yield Found("PIXELCOUNT", f"{why}: with the stored parameters no frame completes")


def _too_few_lines(subject: Subject) -> Iterator[Found]:
    wanted = subject.count("LINECOUNT")
    if subject.readout and not subject.readout.completes and subject.readout.lines < wanted:
        why = f"the script clocks {subject.readout.lines} lines, LINECOUNT={wanted}"
        yield Found("LINECOUNT", f"{why}: with the stored parameters no frame completes")


def _incomplete(subject: Subject) -> Iterator[Found]:
    readout = subject.readout
    if readout is None or readout.completes:
        return
    if readout.pixels >= subject.count("PIXELCOUNT") and readout.lines >= subject.count("LINECOUNT"):
        yield Found("LINECOUNT", "the script clocks enough pixels and lines, but not in lines of one frame")


def _thrown_away(subject: Subject) -> Iterator[Found]:
    readout = subject.readout
    if readout and readout.completes:
        for key, clocked in (("PIXELCOUNT", readout.pixels), ("LINECOUNT", readout.lines)):
            surplus = clocked - subject.count(key)
            if surplus > 1:
                yield Found(key, f"the script clocks {clocked}, of which the last {surplus} are thrown away")


def _line_scan(subject: Subject) -> Iterator[Found]:
    if subject.count("LINESCAN") == 1:
        yield Found("LINESCAN", f"each pulse of FRAME is one line, {subject.count('LINECOUNT')} fill a buffer")


RULES: tuple[Rule, ...] = (
    Rule("no-taps", Severity.ERROR, "There is no tap.", "Add TAPLINEs.", _no_taps),
    Rule("tap-slot", Severity.ERROR, "A tap is in a slot that has no AD module, or one of the other kind.",
         "Correct the channel: AD has four per slot, AM (of an ADM) eighteen, from slot 5 on.", _tap_slot),
    Rule("odd-taps", Severity.ERROR, "FRAMEMODE=2, and the number of taps is odd.",
         "Add or remove a tap, or choose another FRAMEMODE.", _odd_taps),
    Rule("frame-too-large", Severity.ERROR, "A frame does not fit into a buffer.",
         "Make it smaller, or use 16 bits.", _frame_size),
    Rule("raw-too-large", Severity.ERROR, "Raw samples do not fit behind the image in its buffer.",
         "Keep fewer samples of fewer lines.", _raw_size, stops_load=True),
    Rule("no-frame", Severity.ERROR, "The script starts no frame.",
         "Raise FRAME, LINE and PIXEL by states of the readout.", _no_frame),
    Rule("too-few-pixels", Severity.ERROR, "The script clocks fewer pixels per line than PIXELCOUNT.",
         "Correct PIXELCOUNT, or the parameters that count pixels.", _too_few_pixels),
    Rule("too-few-lines", Severity.ERROR, "The script clocks fewer lines than LINECOUNT.",
         "Correct LINECOUNT, or the parameters that count lines.", _too_few_lines),
    Rule("frame-incomplete", Severity.ERROR, "The script clocks enough, but no frame completes.",
         "Look where the states raise FRAME and LINE.", _incomplete),
    Rule("not-followed", Severity.WARNING, "The script goes through too many instructions to be rehearsed.",
         "Repeat by STATE(n) or CALL Label(n) instead of counting a parameter in the innermost loop; or try "
         "it in the simulator.", _not_followed),
    Rule("duplicate-tap", Severity.WARNING, "A channel is in two TAPLINEs.", "Correct one of them.", _duplicate_tap),
    Rule("uneven-halves", Severity.WARNING, "FRAMEMODE=2, and empty TAPLINEs shift taps to the other half.",
         "Remove the empty entries, and put as many taps into each half.", _uneven_halves),
    Rule("empty-window", Severity.WARNING, "SHP or SHD ends before it begins.", "Correct it.", _empty_window),
    Rule("window-order", Severity.WARNING, "SHD begins before SHP ends.", "Correct the windows.", _window_order),
    Rule("window-beyond-pixel", Severity.WARNING, "SHP or SHD ends after the next pixel has begun.",
         "Shorten it, or make the pixel longer.", _window_beyond_pixel),
    Rule("thrown-away", Severity.NOTE, "The script clocks more than one pixel or line too many.",
         "Nothing, if it is meant.", _thrown_away),
    Rule("line-scan", Severity.NOTE, "LINESCAN=1.", "Nothing, if it is meant.", _line_scan),
)  # fmt: skip
