"""The peer: another driver of the same controller, from the package index, in a virtual environment of its own."""

import subprocess
import sys
from pathlib import Path

PEER = "sdss-archon==0.15.5"
_FOLDER = Path(__file__).parents[1] / "build" / "peer-venv"


def peer_python() -> Path:
    """Return the Python of an environment that has the peer; makes it, which takes a minute, if it is missing.

    Raises:
        SystemExit: if it cannot be installed.
    """
    python = _FOLDER / "bin" / "python"
    marker = _FOLDER / "installed"
    if marker.exists() and marker.read_text() == PEER:
        return python
    print(f"making {_FOLDER} with {PEER} …", file=sys.stderr, flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_FOLDER)], check=True)
        install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", PEER]
        subprocess.run(install, check=True)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{PEER} cannot be installed ({error}); --no-peer measures without it") from error
    marker.write_text(PEER)
    return python
