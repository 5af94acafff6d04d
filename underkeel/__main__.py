"""Run the command line with `python -m underkeel`."""

from underkeel.cli.main import run

if __name__ == "__main__":
    run()
