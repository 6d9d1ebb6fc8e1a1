"""Layout: the groups, datasets and attributes of an HDF5 file, as areaDetector's XML layout files describe them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from archon_ioc.errors import InputError

DEFAULT = """<?xml version="1.0"?>
<hdf5_layout>
  <group name="entry">
    <attribute name="NX_class" source="constant" value="NXentry" type="string"/>
    <attribute name="default" source="constant" value="data" type="string"/>
    <group name="instrument">
      <attribute name="NX_class" source="constant" value="NXinstrument" type="string"/>
      <group name="detector">
        <attribute name="NX_class" source="constant" value="NXdetector" type="string"/>
        <dataset name="data" source="detector" det_default="true">
          <attribute name="NX_class" source="constant" value="SDS" type="string"/>
          <attribute name="signal" source="constant" value="1" type="int"/>
        </dataset>
        <group name="NDAttributes">
          <attribute name="NX_class" source="constant" value="NXcollection" type="string"/>
          <dataset name="ColorMode" source="ndattribute" ndattribute="ColorMode"/>
        </group>
      </group>
      <group name="NDAttributes" ndattr_default="true">
        <attribute name="NX_class" source="constant" value="NXcollection" type="string"/>
      </group>
      <group name="performance"/>
    </group>
    <group name="data">
      <attribute name="NX_class" source="constant" value="NXdata" type="string"/>
      <attribute name="signal" source="constant" value="data" type="string"/>
      <hardlink name="data" target="/entry/instrument/detector/data"/>
    </group>
  </group>
</hdf5_layout>
"""
"""What files look like without a layout of one's own: readers of areaDetector's files, and of NeXus, know it."""

_SOURCES = ("constant", "ndattribute", "detector")
_MOMENTS = ("OnFileOpen", "OnFileClose", "OnFileWrite", "OnFrame")

Constant = str | int | float | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """An attribute of a group or dataset: a constant, or what the named attribute of an image is at the end."""

    name: str
    constant: Constant = ""
    ndattribute: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset: the images, a constant, or the values that the named attribute of the images has.

    ``once`` is such a value of one image only.
    """

    name: str
    source: str
    constant: Constant = ""
    ndattribute: str = ""
    once: bool = False
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A second name, for what ``target`` (from ``/`` on) names."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Group:
    """A group and what is in it; one that is ``default`` takes all attributes that have no place of their own."""

    name: str
    labels: tuple[Label, ...]
    datasets: tuple[Dataset, ...]
    links: tuple[Link, ...]
    groups: tuple["Group", ...]
    default: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """What there is in a file. ``leaves_out``: attributes of images that have no place are not kept."""

    groups: tuple[Group, ...]
    leaves_out: bool = False

    def walk(self) -> Iterator[tuple[str, Group]]:
        """Yield every group, those above first, with its path, which begins and ends with ``/``."""
        waiting = [(f"/{group.name}/", group) for group in reversed(self.groups)]
        while waiting:
            path, group = waiting.pop()
            yield path, group
            waiting.extend((f"{path}{inner.name}/", inner) for inner in reversed(group.groups))

    @property
    def images(self) -> str:
        """Path of the dataset of the images."""
        return next(path + dataset.name for path, dataset in self.datasets() if dataset.source == "detector")

    @property
    def rest(self) -> str:
        """Path of the group of the attributes that have no place of their own."""
        return next((path for path, group in self.walk() if group.default), "/")

    def datasets(self) -> Iterator[tuple[str, Dataset]]:
        """Yield every dataset with the path of its group."""
        return ((path, dataset) for path, group in self.walk() for dataset in group.datasets)


def parse(text: str) -> Layout:
    """Return the layout that an XML text describes, the default for the empty one.

    Raises:
        InputError: if it is none, or wants what is not possible here.
    """
    try:
        root = ElementTree.fromstring(text or DEFAULT)
    except ElementTree.ParseError as error:
        raise InputError(f"the layout is no XML: {error}") from error
    groups = tuple(_group(element) for element in root.iterfind("group"))
    if root.tag != "hdf5_layout" or not groups:
        raise InputError("a layout is a hdf5_layout with groups")
    if root.find("global") is not None:
        raise InputError("global is not possible here: all images go to one dataset")
    tops = (root, *root.iterfind("group"))
    layout = Layout(groups, any(top.get("auto_ndattr_default", "true") == "false" for top in tops))
    if (count := sum(dataset.source == "detector" for _, dataset in layout.datasets())) != 1:
        raise InputError(f"one dataset has the source detector, not {count}")
    return layout


def _group(element: ElementTree.Element) -> Group:
    return Group(
        name=_required(element, "name").strip("/"),
        labels=_labels(element),
        datasets=tuple(_dataset(inner) for inner in element.iterfind("dataset")),
        links=tuple(Link(_required(e, "name"), _required(e, "target")) for e in element.iterfind("hardlink")),
        groups=tuple(_group(inner) for inner in element.iterfind("group")),
        default=element.get("ndattr_default") == "true",
    )


def _labels(element: ElementTree.Element) -> tuple[Label, ...]:
    return tuple(_label(inner) for inner in element.iterfind("attribute"))


def _label(element: ElementTree.Element) -> Label:
    name, source, _ = _placed(element)
    if source == "detector":
        raise InputError(f"attribute {name}: images are no attribute")
    if source == "ndattribute":
        return Label(name, ndattribute=_required(element, "ndattribute"))
    return Label(name, _constant(element))


def _dataset(element: ElementTree.Element) -> Dataset:
    name, source, when = _placed(element)
    labels = _labels(element)
    if source == "constant":
        return Dataset(name, source, _constant(element), labels=labels)
    if source == "detector":
        return Dataset(name, source, labels=labels)
    once = when in ("OnFileOpen", "OnFileClose")
    return Dataset(name, source, ndattribute=_required(element, "ndattribute"), once=once, labels=labels)


def _placed(element: ElementTree.Element) -> tuple[str, str, str]:
    """Name, source and moment of an element."""
    name, source = _required(element, "name"), element.get("source", "constant")
    when = element.get("when", "OnFileWrite")
    if source not in _SOURCES:
        raise InputError(f"{element.tag} {name}: the source is one of {', '.join(_SOURCES)}, not {source}")
    if when not in _MOMENTS:
        raise InputError(f"{element.tag} {name}: when is one of {', '.join(_MOMENTS)}, not {when}")
    return name, source, when


def _required(element: ElementTree.Element, name: str) -> str:
    value = element.get(name, "")
    if not value:
        raise InputError(f"a {element.tag} of the layout needs {name}")
    return value


_NUMBERS: Mapping[str, Callable[[str], int | float]] = {"int": int, "float": float}


def _constant(element: ElementTree.Element) -> Constant:
    """The value of an element; several numbers are separated by commas."""
    text, kind = element.get("value", ""), element.get("type", "string")
    if kind not in _NUMBERS:
        return text
    try:
        values = tuple(_NUMBERS[kind](part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{element.get('name')}: {text!r} is no {kind}") from error
    return values[0] if len(values) == 1 else values
