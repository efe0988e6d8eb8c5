"""Visual Commonsense Reasoning, QA -> R: why the right answer is right (Zellers et al., arXiv:1811.10830).

As ViP-LLaVA asks it: question and right answer are given, four reasons are the options. Files and rules are those of
`vcr_qa`, in `scoring.vcr`. The missing blank behind the answer is the published one.

    I give you a question and its answer, I need you to provide a rationale explaining why the answer is right. "What is
    the person at the red point holding?" The answer is "A cup.".What is the rationale for this decision?
    A. The cup at lime point is in the hand of the person at red point.
    ...
"""

from vertebra.chat.vcr import reasoning
from vertebra.scoring.vcr import vcr

BENCHMARK = vcr("vcr_qar", "VCR (QA to R)", reasoning)
