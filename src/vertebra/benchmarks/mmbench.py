"""MMBench, English dev split: twenty abilities in multiple choice (Liu et al., arXiv:2307.06281).

mmbench_dev_20230712.tsv of https://github.com/open-compass/MMBench, 1,176 questions in 4,377 rows, as LLaVA asks them.
What counts is in `scoring.circular`; the later dev files of 1,164 questions are read as well.
"""

from vertebra.scoring.benchmark import OPTION_LETTER
from vertebra.scoring.circular import Hub, circular
from vertebra.scoring.sources import Release, lmms_lab

BENCHMARK = circular(
    "mmbench",
    "MMBench",
    "mmbench_dev_20230712.tsv",
    OPTION_LETTER,
    Hub(lmms_lab("MMBench_EN")),
    (
        Release("mmbench_dev_20230712", 4_377, 1_176),
        Release("DEV_EN", 4_329, 1_164),
        Release("TEST_EN", 6_666, 1_784),
        Release("mmbench_test", 6_718),
    ),
)
