"""MMBench, English dev split: twenty abilities in multiple choice (Liu et al., arXiv:2307.06281).

mmbench_dev_20230712.tsv of https://github.com/open-compass/MMBench, 1,176 questions in 4,377 rows, as LLaVA asks them.
What counts is in `scoring.circular`; the later dev files of 1,164 questions are read as well.
"""

from vertebra.scoring.benchmark import OPTION_LETTER
from vertebra.scoring.circular import circular

BENCHMARK = circular("mmbench", "MMBench", "mmbench_dev_20230712.tsv", OPTION_LETTER)
