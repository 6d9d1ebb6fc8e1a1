"""The exact text of every command, as the manual's command list has it."""

import dataclasses

import pytest

from archon_ioc.errors import ForbiddenError, InputError
from archon_ioc.protocol import commands
from archon_ioc.protocol.commands import Command
from archon_ioc.protocol.wire import encode

TEXTS = [
    (commands.system(), "SYSTEM"),
    (commands.status(), "STATUS"),
    (commands.frame(), "FRAME"),
    (commands.timer(), "TIMER"),
    (commands.fetch_log(), "FETCHLOG"),
    (commands.lock(1), "LOCK1"),
    (commands.lock(3), "LOCK3"),
    (commands.unlock(), "LOCK0"),
    (commands.fetch(0xA0000000, 32769), "FETCHA000000000008001"),
    (commands.fetch(2684354560, 1), "FETCHA000000000000001"),
    (commands.write_config(0, "LINE0=Main:"), "WCONFIG0000LINE0=Main:"),
    (commands.write_config(16383, ""), "WCONFIG3FFF"),
    (commands.write_config(171, "PARAMETER0=IntMS=0"), "WCONFIG00ABPARAMETER0=IntMS=0"),
    (commands.read_config(0), "RCONFIG0000"),
    (commands.read_config(16383), "RCONFIG3FFF"),
    (commands.clear_config(), "CLEARCONFIG"),
    (commands.apply_all(), "APPLYALL"),
    (commands.power_on(), "POWERON"),
    (commands.power_off(), "POWEROFF"),
    (commands.load_timing(), "LOADTIMING"),
    (commands.load_params(), "LOADPARAMS"),
    (commands.load_param("IntMS"), "LOADPARAM IntMS"),
    (commands.fast_load_param("Exposures", 1), "FASTLOADPARAM Exposures 1"),
    (commands.fast_load_param("IntMS", 1_000_000), "FASTLOADPARAM IntMS 1000000"),
    (commands.fast_prep_param("IntMS", 0), "FASTPREPPARAM IntMS 0"),
    (commands.reset_timing(), "RESETTIMING"),
    (commands.hold_timing(), "HOLDTIMING"),
    (commands.release_timing(), "RELEASETIMING"),
    (commands.apply_module(1), "APPLYMOD00"),  # the argument counts from 0 and is hex
    (commands.apply_module(10), "APPLYMOD09"),
    (commands.apply_module(11), "APPLYMOD0A"),
    (commands.apply_module(16), "APPLYMOD0F"),
    (commands.apply_dio(12), "APPLYDIO0B"),
    (commands.apply_system(), "APPLYSYSTEM"),
    (commands.apply_cds(), "APPLYCDS"),
    (commands.poll_on(), "POLLON"),
    (commands.poll_off(), "POLLOFF"),
]


@pytest.mark.parametrize(("command", "text"), TEXTS, ids=[text for _, text in TEXTS])
def test_text(command: Command, text: str) -> None:
    assert command.text == text
    assert encode(1, command.text) == b">01" + text.encode() + b"\n"


# Seconds that real controllers took (published measurements, firmware 1252 and 1261).
@pytest.mark.parametrize(
    ("command", "measured"),
    [
        (commands.write_config(0, "A=1"), 0.108),
        (commands.apply_system(), 0.236),
        (commands.load_params(), 0.240),
        (commands.reset_timing(), 0.246),
        (commands.apply_module(2), 1.5),
        (commands.power_on(), 1.0),
    ],
    ids=lambda value: value.text if isinstance(value, Command) else "",
)
def test_time_outs_leave_room(command: Command, measured: float) -> None:
    assert command.timeout >= 5 * measured


def test_only_a_fetch_has_blocks() -> None:
    assert commands.fetch(0xA0000000, 32769).blocks == 32769
    assert all(command.blocks == 0 for command, text in TEXTS if not text.startswith("FETCHA"))


def test_a_command_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        commands.system().text = "REBOOT"  # type: ignore[misc]


BAD = {
    "buffer 0": lambda: commands.lock(0),
    "buffer 4": lambda: commands.lock(4),
    "line -1": lambda: commands.write_config(-1, ""),
    "line 16384": lambda: commands.write_config(16384, ""),
    "reading line 16384": lambda: commands.read_config(16384),
    "2049 characters": lambda: commands.write_config(0, "x" * 2049),
    "slot 0": lambda: commands.apply_module(0),
    "slot 17": lambda: commands.apply_dio(17),
    "negative parameter": lambda: commands.fast_load_param("IntMS", -1),
    "parameter above the limit": lambda: commands.fast_load_param("IntMS", 1_000_001),
    "prepared parameter above the limit": lambda: commands.fast_prep_param("IntMS", 1_000_001),
    "no name": lambda: commands.load_param(""),
    "name with a blank": lambda: commands.fast_load_param("Int MS", 1),
    "name with a second command": lambda: commands.load_param("A\n>01REBOOT"),
    "name with a newline at its end": lambda: commands.load_param("A\n"),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD.keys())
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(InputError):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("SYSTEM", "SYSTEM"),
        ("  status \n", "STATUS"),
        ("fastloadparam Exposures 1", "FASTLOADPARAM EXPOSURES 1"),
        ("FETCHLOG", "FETCHLOG"),
        ("fetchlog", "FETCHLOG"),
        ("WCONFIG0003MOD3/LABEL1=Reset drain", "WCONFIG0003MOD3/LABEL1=Reset drain"),
        ("ReadOut", "READOUT"),
        ("LOCK1", "LOCK1"),
    ],
)
def test_raw(given: str, sent: str) -> None:
    assert commands.raw(given).text == sent


@pytest.mark.parametrize(
    "text",
    [
        "FLASHACTIVECONFIG", "flashactiveconfig", " FLASH00", "FLASHMOD03", "ERASE", "ERASESTOREDCONFIG",
        "ERASEMOD0A", "VERIFY", "VERIFYMOD03", "APPLYNET", "applynet", "NETRESET", "CALAD1,2", "CLEARAD1",
        "AUTOFETCH1", "FASTAUTOFETCH1", "FETCHA000000000000001", "fetcha000000000000001",
    ],
)  # fmt: skip
def test_raw_refuses_what_is_never_sent(text: str) -> None:
    with pytest.raises(ForbiddenError, match="is refused") as refusal:
        commands.raw(text)
    assert refusal.value.command == text.strip()
    assert refusal.value.reason


@pytest.mark.parametrize("text", ["SYSTEM>02FLASH00", ">00FLASH00", "x>00ERASE", ""])
def test_raw_refuses_a_command_inside_a_command(text: str) -> None:
    with pytest.raises(InputError):
        commands.raw(text)
