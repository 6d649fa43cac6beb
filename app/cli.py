"""`kapsula`: where the command line begins.

It says its first line before the parts of the house are loaded, which takes a second or two.
"""

import sys


def main() -> None:
    """Run the command of `sys.argv`."""
    asked = sys.argv[1:]
    if "demo" in asked[:3] and "--help" not in asked:
        sys.stderr.write("Капсула: opening the demo pharmacy…\n")
        sys.stderr.flush()
    from app.commands.root import app  # noqa: PLC0415 - after the first line

    app()


if __name__ == "__main__":
    main()
