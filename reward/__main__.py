"""``python -m reward`` is the command ``reward``."""

import sys

from reward.cli import main

sys.exit(main())
