"""FileSet: the files of one exposure, from its number to the disk."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from archon_ioc.exposure.files import Naming
from archon_ioc.exposure.part import Part
from archon_ioc.exposure.picture import Exposure


@dataclass(eq=False)
class FileSet:
    """The files of one exposure, which all have the same number. A controller's are there when it has its image."""

    naming: Naming | None = None
    """None: no number was taken yet."""
    exposures: list[Exposure] = field(default_factory=list[Exposure])
    parts: dict[str, Part] = field(default_factory=dict[str, Part])
    """What was collected for it, by controller."""
    names: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Of the files that are on disk, by controller."""
    problem: str = ""
    settle: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict[str, Callable[[], Awaitable[None]]])
    """What is to be done when they are on disk, by controller."""
    tell: Callable[["FileSet"], None] | None = None
    """Is called with this set each time when the files of a controller are on disk."""

    @property
    def unwritten(self) -> list[Exposure]:
        """What is not on disk."""
        return [exposure for exposure in self.exposures if exposure.facts.controller not in self.names]

    def has_image_of(self, controller: str) -> bool:
        """Whether the image of a controller is in memory."""
        return any(exposure.facts.controller == controller for exposure in self.exposures)

    def has_part_of(self, controller: str) -> bool:
        """Whether some of a controller's frames are in memory, of an image that is not complete."""
        part = self.parts.get(controller)
        return part is not None and part.count > 0 and not part.is_handed_out

    async def released(self, controller: str) -> None:
        """Nobody waits for the files of a controller any more."""
        if settle := self.settle.pop(controller, None):
            await settle()

    async def settled(self, controller: str, names: tuple[str, ...]) -> None:
        """The files of a controller are on disk."""
        self.names[controller] = names
        if self.tell:
            self.tell(self)  # before anything is awaited: only the last of several controllers sees all names
        await self.released(controller)
