"""The peer: another driver of the same controller, from the package index, in a virtual environment of its own."""

import subprocess
from pathlib import Path

PEER = "sdss-archon"
_MAKE = Path(__file__).parents[1] / "scripts" / "peer"


def peer_python() -> Path:
    """Return the Python of an environment that has the peer; makes it, which takes a minute, if it is missing.

    Raises:
        SystemExit: if it cannot be installed.
    """
    try:
        made = subprocess.run([str(_MAKE)], check=True, stdout=subprocess.PIPE, text=True)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{PEER} cannot be installed ({error}); --no-peer measures without it") from error
    return Path(made.stdout.strip())
