"""What is known of the files of one exposure."""

from archon_ioc.exposure.file_set import FileSet
from archon_ioc.exposure.part import Part


async def test_who_waits_for_the_files_of_a_controller_is_told_once() -> None:
    calls: list[str] = []

    async def settle() -> None:
        calls.append("settled")

    def tell(told: FileSet) -> None:
        calls.append(f"told {told.names}")

    files = FileSet(settle={"b1": settle, "r1": settle}, tell=tell)
    await files.settled("b1", ("a.fits",))
    await files.released("b1")
    assert calls == ["told {'b1': ('a.fits',)}", "settled"], "before anything is awaited"
    await files.released("r1")
    assert (calls[2:], files.names) == (["settled"], {"b1": ("a.fits",)})


def test_an_empty_part_is_none() -> None:
    files = FileSet(parts={"b1": Part()})
    assert not files.has_part_of("b1")
    assert not files.has_part_of("r1")
    assert not files.has_image_of("b1")
