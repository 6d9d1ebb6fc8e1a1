"""What goes wrong on purpose: a test or an operator sets a field, the simulator obeys."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Faults:
    """Faults of a simulated controller. Texts are prefixes of commands, ``"WCONFIG0005"`` for instance.

    Faults of single commands and of a fetch happen once and disarm themselves; the others last until
    `clear`.
    """

    drop_reply: str = ""
    """The next command that begins so is done, but its reply never comes."""
    reject: str = ""
    """The next command that begins so is not done but answered with ``?``."""
    delay_reply: str = ""
    """The reply to the next command that begins so comes ``delay_seconds`` late, by the wall clock."""
    delay_seconds: float = 1.0
    garbage: str = ""
    """Bytes that no reply begins with are sent in front of the reply to the next command that begins so."""
    skip: int = 0
    """How many matching commands pass before one of the four faults above strikes."""
    cut_fetch_after_bytes: int | None = None
    """The next fetch ends after so many bytes on the wire, and with it the connection."""
    drop_link_after_blocks: int | None = None
    """The next fetch ends after so many blocks, and with it the connection."""
    frame_never_completes: bool = False
    """Frames that start now miss their last line."""
    power_stuck: bool = False
    """POWER stays at 3 after POWERON."""
    rail: str = ""
    """This supply rail (``"P5V"``) breaks down: POWERGOOD is 0 and the relays open."""
    overheat: bool = False
    """OVERHEAT is 1."""

    def clear(self) -> None:
        """Make everything work again."""
        for item in fields(self):
            setattr(self, item.name, item.default)

    def strikes(self, name: str, command: str) -> bool:
        """Return whether the fault ``name`` hits this command; if so it is used up."""
        prefix = getattr(self, name)
        if not prefix or not command.startswith(prefix):
            return False
        if self.skip:
            self.skip -= 1
            return False
        setattr(self, name, "")
        return True

    def fetch_limit(self, record_size: int) -> int | None:
        """Return after how many bytes the fetch that begins now is cut, None for never; the fault is used up."""
        limit = self.cut_fetch_after_bytes
        if limit is None and self.drop_link_after_blocks is not None:
            limit = self.drop_link_after_blocks * record_size
        self.cut_fetch_after_bytes = self.drop_link_after_blocks = None
        return limit
