"""SimArchon: one controller that is told its commands and the time; pure, without clock, socket or task."""

from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType

from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import Program, compile_script
from archon_ioc.errors import ArchonError, InputError
from archon_ioc.protocol.replies import SystemInfo
from archon_ioc.protocol.wire import BLOCK_SIZE
from archon_ioc.sim.answers import REJECTED, RESTART, Answer, BlockRequest, hexadecimal, name_and_value
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.frames import Bytes, FrameBuffers, ticks
from archon_ioc.sim.imager import Imager
from archon_ioc.sim.latency import BOOT_SECONDS, WARM_BOOT_SECONDS
from archon_ioc.sim.memory import ConfigMemory, Part, module_keys, stored_commands
from archon_ioc.sim.power import PowerSequence
from archon_ioc.sim.resets import Resets
from archon_ioc.sim.status import StatusBoard, system_fields
from archon_ioc.sim.sync import Edge
from archon_ioc.sim.timing import Timing

_LOG_LENGTH = 256
_REV_H = 7
_EMPTY = Acf(MappingProxyType({}))


class SimArchon:
    """A simulated controller.

    ``acf`` is what its flash memory holds: its ``[SYSTEM]`` says which modules are installed, its keys are in the
    configuration memory after power-up, without effect until they are applied; with ``applied`` they are in
    effect at once. ``now`` is any time in seconds that never runs backwards. With ``instant`` integrations,
    readouts and ramps take no time, and the controller's own clock jumps ahead.
    """

    def __init__(
        self,
        acf: Acf | None = None,
        *,
        applied: bool = False,
        instant: bool = False,
        now: float = 0.0,
    ) -> None:
        self.faults = Faults()
        self._system = system_fields(acf or _EMPTY)
        self._instant = instant
        self._booted_at = self._now = now
        self._frames = FrameBuffers(self.faults, is_rev_h=self.is_rev_h)
        self._lost_clock = self._dead_leader = False
        self._is_led = False
        self.sync_out: Callable[[Edge, float], None] | None = None
        """Is told what happens at SYNCOUT and when; None without a cable."""
        self.boots = 0
        """How often it has started: clients that were connected before are not any more."""
        self.boot_seconds = 0.0
        """How long the last start took, during which it cannot be reached."""
        self._log: deque[str] = deque(maxlen=_LOG_LENGTH)
        self._power = PowerSequence(self.faults, instant=instant)
        installed = SystemInfo.from_fields(self._system)
        self._flash = ConfigMemory(acf, {module.slot: module.type for module in installed.modules})
        self.hardware = StatusBoard(installed, self._power, self.faults, log=self.log)
        """What is installed, and what hangs on it: cryostats, digital lines, registers of the VCPUs."""
        self._boot()
        self.hardware.refresh(0.0)  # it was switched on a while ago
        if applied:
            self._apply_all("", 0.0)

    @property
    def parameters(self) -> Mapping[str, int]:
        """The timing cores' parameters as they are now, names in upper case."""
        return self._timing.parameters

    @property
    def timing(self) -> Timing:
        """The timing cores."""
        return self._timing

    @property
    def frames(self) -> FrameBuffers:
        """The frame buffers."""
        return self._frames

    @property
    def applied(self) -> Acf:
        """The configuration that is in effect."""
        return self._applied

    @property
    def is_rev_h(self) -> bool:
        """Whether the backplane is a Rev H: it serves more clients and echoes references as they are."""
        return int(self._system["BACKPLANE_REV"]) >= _REV_H

    @property
    def is_led(self) -> bool:
        """Whether it has the clock of another controller, and ignores Trigger In."""
        return self._is_led

    @is_led.setter
    def is_led(self, is_led: bool) -> None:
        self._is_led = is_led
        self._apply_triggers(self._since_boot(self._now))

    def set_instant(self) -> None:
        """Let integrations, readouts and ramps take no time from now on."""
        self._instant = self._power.instant = True
        self._timing.set_instant()

    def handle(self, command: str, now: float) -> Answer:
        """Do one command and return its answer; unknown commands are answered with silence."""
        self.advance(now)
        at = self._since_boot(now)
        for prefix, act in self._commands:
            if command.startswith(prefix):
                return self._act(act, command, command[len(prefix) :], at)
        return None

    def advance(self, now: float) -> None:
        """Let everything happen that is due at ``now``."""
        self._now = now
        self._misbehave()
        at = self._since_boot(now)
        self._timing.is_clocked = not self._lost_clock
        self._timing.advance(at)
        self.hardware.chassis.has_external_clock = self.is_led and not self._lost_clock
        self.hardware.enter_state(self._timing.state, at)
        self.hardware.advance(at)
        if self._imager.is_powered and not self._power.is_wanted:  # a fault switched it off
            self._imager.is_powered = False

    def trigger_in(self, now: float) -> None:
        """Pulse Trigger In: with TRIGINENABLE the timing core restarts at its first line (manual, triggers)."""
        self.set_trigger_in(True, now)
        self.set_trigger_in(False, now)

    def set_trigger_in(self, high: bool, now: float) -> None:
        """Set the level of Trigger In."""
        self.advance(now)
        self._resets.set_trigger(high, self._since_boot(now))

    def sync_in(self, edge: Edge, now: float) -> None:
        """Do what the leader of a synchronised set does at this tick."""
        self._dead_leader = edge is Edge.CLOCK_LOST or (self._dead_leader and edge is not Edge.CLOCK_BACK)
        self.advance(now)
        self._follow(edge, self._since_boot(now))

    def _since_boot(self, now: float) -> float:
        """Return the controller's own time, which jumps ahead where things take no time."""
        return now - self._booted_at + self._timing.skipped

    def _misbehave(self) -> None:
        """Let those faults happen that wait for nobody's command."""
        if self.faults.lost_lock:
            self._frames.lock(0)
        if self.faults.reboot_in_exposure and self._timing.is_integrating:
            self.faults.reboot_in_exposure = False
            self._restart(warm=False)
        had_lost, self._lost_clock = self._lost_clock, self.faults.sync_dead or self._dead_leader
        if self._lost_clock and not had_lost:
            self._signal(Edge.CLOCK_LOST)
        if had_lost and not self._lost_clock:
            self._restart(warm=False)  # manual: a unit without its clock hangs, and reboots when it returns

    def _control_timing(self, edge: Edge, at: float) -> Answer:
        self._follow(edge, at)
        return self._signal(edge)

    def _follow(self, edge: Edge, at: float) -> None:
        if edge is Edge.LOAD:
            self._load({}, at)
        else:
            self._resets.follow(edge, at)

    def _signal(self, edge: Edge) -> str:
        """Tell the others of a synchronised set what happens; return the reply to a command that makes it happen."""
        if self.sync_out:
            self.sync_out(edge, self._now)
        return ""

    def log(self, entry: str) -> None:
        """Add an entry to the controller's log."""
        self._log.append(entry)

    def read(self, address: int, count: int, now: float) -> Bytes:
        """Return what the frame memory holds at this moment; where a frame was not rendered, what was before it.

        Raises:
            InputError: if the bytes are not inside one buffer.
        """
        self.advance(now)
        buffer, offset = self._frames.find(address, count)
        return buffer.read(offset, count)

    def _boot(self) -> None:
        self.boots += 1
        self._applied = _EMPTY
        self._memory = self._flash.copy()
        self._log.clear()
        self._staged: dict[str, int] = {}
        self._power.restart()
        self.hardware.restart()
        self._imager = Imager(self._frames)
        self._timing = Timing(self._imager, instant=self._instant)
        self._resets = Resets(self._timing)
        self._commands = self._command_table()
        for command in stored_commands(self._memory, self._system["BACKPLANE_VERSION"]):
            self.handle(command, self._booted_at)

    def _act(self, act: "_Action", command: str, argument: str, at: float) -> Answer:
        try:
            return act(argument, at)
        except ArchonError as error:
            self.log(f"{command.split(' ', maxsplit=1)[0][:20]}: {error}")
            return REJECTED

    def _command_table(self) -> tuple[tuple[str, "_Action"], ...]:
        """Return prefix and action in the order in which the firmware compares."""
        return (
            ("WCONFIG", self._write_config),
            ("STATUS", lambda _, at: self.hardware.report(at, len(self._log))),
            ("FRAME", lambda _, at: self._frames.report(at)),
            ("RCONFIG", lambda text, _: self._memory.read(hexadecimal(text, 4))),
            ("FETCHLOG", lambda _text, _at: self._log.popleft() if self._log else "(null)"),
            ("FASTAUTOFETCH", self._set_autofetch),
            ("FETCH", self._fetch),
            ("LOCKT", _silence),  # line-scan lock: absent from the newest firmware
            ("LOCK", self._lock),
            ("SYSTEM", lambda _text, _at: " ".join(f"{k}={v}" for k, v in self._system.items()) + " "),
            ("TIMER", lambda _, at: f"TIMER={ticks(at):016X}"),
            ("FASTLOADPARAM ", lambda text, at: self._load(name_and_value(text), at)),
            ("FASTPREPPARAM ", lambda text, _: self._stage(name_and_value(text))),
            ("PREPPARAM ", lambda text, _: self._stage(self._stored(text))),
            ("LOADPARAMS", lambda _, at: self._load(self._stored(), at)),
            ("LOADPARAM ", lambda text, at: self._load(self._stored(text), at)),
            ("LOADTIMING", self._load_timing),
            ("RESETTIMING", lambda _, at: self._control_timing(Edge.RESET, at)),
            ("HOLDTIMING", lambda _, at: self._control_timing(Edge.HOLD, at)),
            ("RELEASETIMING", lambda _, at: self._control_timing(Edge.RELEASE, at)),
            ("CLEARCONFIG", lambda _text, _at: self._memory.clear() or ""),
            ("APPLYALL", self._apply_all),
            ("APPLYCDS", self._apply_cds),
            ("APPLYSYSTEM", self._apply_system),
            ("APPLYMOD", lambda text, at: self._apply_module(text, at, only_dio=False)),
            ("APPLYDIO", lambda text, at: self._apply_module(text, at, only_dio=True)),
            ("POWERON", self._power_on),
            ("POWEROFF", self._power_off),
            ("POLLON", lambda _, at: self.hardware.set_polling(True, at) or ""),
            ("POLLOFF", lambda _, at: self.hardware.set_polling(False, at) or ""),
            ("BIASPOLLON", lambda _, at: self.hardware.set_bias_polling(True, at) or ""),
            ("BIASPOLLOFF", lambda _, at: self.hardware.set_bias_polling(False, at) or ""),
            ("FLASHACTIVECONFIG", lambda _text, _at: self._store(self._memory.copy())),
            ("ERASESTOREDCONFIG", lambda _text, _at: self._store(self._flash.empty())),
            ("REBOOT", lambda _text, _at: self._restart(warm=False)),
            ("WARMBOOT", lambda _text, _at: self._restart(warm=True)),
        )

    def _write_config(self, text: str, _at: float) -> Answer:
        self._memory.write(hexadecimal(text[:4], 4), text[4:])
        return ""

    def _fetch(self, text: str, _at: float) -> Answer:
        hexadecimal(text, 16)
        address, blocks = int(text[:8], 16), int(text[8:], 16)
        if not blocks:
            raise InputError("a fetch of no blocks")
        self._frames.find(address, blocks * BLOCK_SIZE)
        return BlockRequest(address, blocks)

    def _set_autofetch(self, text: str, _at: float) -> Answer:
        if not self.is_rev_h:
            return None  # the firmware of a Rev F does not know it (protocol sheet)
        if text not in ("0", "1"):
            raise InputError(f"FASTAUTOFETCH is 0 or 1, not {text[:20]!r}")
        self._frames.set_autofetch(text == "1")
        return ""

    def _lock(self, text: str, _at: float) -> Answer:
        if text not in ("0", "1", "2", "3"):
            raise InputError(f"there is no buffer {text[:20]!r}")
        self._frames.lock(int(text))
        return ""

    def _stored(self, name: str | None = None) -> dict[str, int]:
        """Return the parameters of the configuration memory, or one of them."""
        stored = Acf(self._memory.part(Part.PARAMETERS.value)).parameters
        if name is None:
            return dict(stored)
        found = {key: value for key, value in stored.items() if key.upper() == name.strip().upper()}
        if not found:
            raise InputError(f"there is no parameter {name[:40]!r}")
        return found

    def _stage(self, values: dict[str, int]) -> Answer:
        unknown = [name for name in values if name.upper() not in self._timing.parameters]
        if unknown:
            raise InputError(f"there is no parameter {unknown[0]!r}")
        self._staged |= values
        return ""

    def _load(self, values: dict[str, int], at: float) -> Answer:
        # A load is the edge at which staged values become active (manual, synchronised controllers).
        self._timing.set_parameters(self._staged | values, at)
        self._staged = {}
        return self._signal(Edge.LOAD)

    def _load_timing(self, _: str, at: float) -> Answer:
        applied = self._memory.update(self._applied, Part.TIMING.value)
        program = compile_script(applied)
        self._applied = applied
        self._start_timing(program, at)
        return self._signal(Edge.RESET)

    def _start_timing(self, program: Program, at: float) -> None:
        self._timing.load(program, at)
        self._resets.started(at)

    def _apply_all(self, _: str, at: float) -> Answer:
        applied = self._memory.whole()
        program = compile_script(applied)
        self._applied = applied
        self._power.configure(at)
        self._imager.is_powered = False
        self._frames.use_big(self._applied.number("BIGBUF", 0) == 1)
        self._timing.configure(applied)
        self._start_timing(program, at)
        self._apply_triggers(at)
        self.hardware.apply(self._applied, at)
        return self._signal(Edge.RESET)

    def _apply_cds(self, _text: str, _at: float) -> Answer:
        self._applied = self._memory.update(self._applied, Part.CDS.value)
        self._frames.use_big(self._applied.number("BIGBUF", 0) == 1)
        self._timing.configure(self._applied)
        return ""

    def _apply_system(self, _: str, at: float) -> Answer:
        self._applied = self._memory.update(self._applied, Part.SYSTEM.value)
        self._apply_triggers(at)
        self.hardware.apply_system(self._applied, at)
        return ""

    def _apply_module(self, text: str, at: float, *, only_dio: bool) -> Answer:
        slot = hexadecimal(text, 2) + 1
        self._applied = self._memory.update(self._applied, module_keys(slot, only_dio=only_dio))
        self.hardware.apply_module(slot, self._applied, at, only_dio=only_dio)
        return ""

    def _store(self, memory: ConfigMemory) -> str:
        self._flash = memory
        return ""

    def _apply_triggers(self, at: float) -> None:
        self._resets.configure(self._applied, at, is_led=self.is_led)
        forced = self._applied.number("TRIGOUTFORCE", 0) == 1
        self._imager.set_shutter(self._applied.number("TRIGOUTLEVEL", 0) == 1 if forced else None, ticks(at))

    def _power_on(self, _: str, at: float) -> Answer:
        self._power.switch_on(at)
        self._imager.is_powered = True
        self.hardware.refresh(at)
        return ""

    def _power_off(self, _: str, at: float) -> Answer:
        self._power.switch_off(at)
        self._imager.is_powered = False
        self.hardware.refresh(at)
        return ""

    def _restart(self, *, warm: bool) -> Answer:
        self.hardware.advance(self._since_boot(self._now))
        self._booted_at = self._now
        self.boot_seconds = WARM_BOOT_SECONDS if warm else BOOT_SECONDS
        self._frames = FrameBuffers(self.faults, self._frames.frame if warm else 0, is_rev_h=self.is_rev_h)
        self._boot()
        if not warm and not self._lost_clock:  # the clock of those that it leads was away meanwhile
            self._signal(Edge.CLOCK_LOST)
            self._signal(Edge.CLOCK_BACK)
        return RESTART


_Action = Callable[[str, float], Answer]


def _silence(_text: str, _at: float) -> Answer:
    return None
