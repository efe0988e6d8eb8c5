"""MMBench-CN, dev split: MMBench's questions in Chinese (Liu et al., arXiv:2307.06281).

mmbench_dev_cn_20231003.tsv of https://github.com/open-compass/MMBench, 1,164 questions in 4,329 rows, as LLaVA asks
them. What counts is in `scoring.circular`.
"""

from vertebra.scoring.circular import Hub, circular
from vertebra.scoring.sources import Release, lmms_lab

BENCHMARK = circular(
    "mmbench_cn",
    "MMBench-CN",
    "mmbench_dev_cn_20231003.tsv",
    "\n请直接回答选项字母。",
    Hub(lmms_lab("MMBench"), "cn"),
    (Release("mmbench_dev_cn_20231003", 4_329, 1_164), Release("TEST_CN", 6_666, 1_784)),
)
