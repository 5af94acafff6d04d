"""The application: configuration, wiring of the rooms, and the command line."""

from typing import Final

__version__: Final = "0.1.0"
