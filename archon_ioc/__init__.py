"""An EPICS IOC for STA Archon detector controllers."""

from importlib.metadata import version

__version__ = version("archon-ioc")
