"""Use an installed wheel as a stranger would, and weigh it.

python tools/check_wheel.py DIST_FOLDER     (run outside the source tree)
"""

from __future__ import annotations

import sys
from pathlib import Path

import mixedeffects as me

MEGABYTES = 5.0


def main(arguments: list[str]) -> int:
    """Fit a model from the installed package; the exit code is 1 if the wheel is too heavy or the answer is off."""
    (wheel,) = Path(arguments[0]).glob("*.whl")
    megabytes = wheel.stat().st_size / 1e6
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
    print(f"{wheel.name}: {megabytes:.2f} MB; {me.__file__}: REML criterion {fit.criterion:.4f}")
    good = megabytes < MEGABYTES and abs(fit.criterion - 1743.6283) < 1e-3 and "site-packages" in str(me.__file__)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
