"""The peers: other drivers of the same controller, from the package index, in a virtual environment of their own."""

import subprocess
import sys
from pathlib import Path

PEER = "sdss-archon==0.15.5"
_FOLDER = Path(__file__).parents[1] / "build" / "peer-venv"


def peer_python() -> Path:
    """Return the Python of an environment that has the peer; makes it, which takes a minute, if it is missing."""
    python = _FOLDER / "bin" / "python"
    marker = _FOLDER / "installed"
    if not marker.exists() or marker.read_text() != PEER:
        print(f"making {_FOLDER} with {PEER} …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_FOLDER)], check=True)
        # setuptools: a dependency of the peer still needs its pkg_resources.
        install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*install, PEER, "setuptools<81"], check=True)
        marker.write_text(PEER)
    return python
