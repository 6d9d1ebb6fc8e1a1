"""Run the command line with ``python -m archon_ioc``."""

from archon_ioc.cli import main

if __name__ == "__main__":
    main()
