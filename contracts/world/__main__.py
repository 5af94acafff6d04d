"""`python -m world build|clean|path`: the test world's cache from the command line."""

from __future__ import annotations

import argparse
import sys

from world.builder import build, find
from world.cache import cache_home, clean
from world.rpc import WorldError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m world", description=__doc__)
    commands = {
        "build": "install, compile, deploy and dump, unless that is done",
        "path": "print where the built world is",
        "clean": "remove every built world and its packages",
    }
    chosen = parser.add_subparsers(dest="command", required=True)
    for name, what in commands.items():
        chosen.add_parser(name, help=what)
    command = parser.parse_args().command
    if command == "clean":
        clean(cache_home())
        return 0
    try:
        built = build() if command == "build" else find()
    except WorldError as error:
        sys.stderr.write(f"test world: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("test world: stopped; the next run goes on from what was made\n")
        return 130
    if built is None:
        sys.stderr.write("test world: not built; run `python -m world build`\n")
        return 1
    sys.stdout.write(f"{built.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
