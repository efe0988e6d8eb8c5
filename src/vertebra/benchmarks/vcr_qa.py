"""Visual Commonsense Reasoning, Q -> A: which of four answers is right (Zellers et al., arXiv:1811.10830).

As ViP-LLaVA asks it, every object that a text mentions is marked by a point; files and rules are in `scoring.vcr`.

    What is the person at the red point holding?
    A. A cup.
    B. The person at red point is holding the hand of the person at the lime point.
    C. A book.
    D. Nothing.
    Answer with the option's letter from the given choices directly.
"""

from vertebra.chat.vcr import answering
from vertebra.scoring.vcr import vcr

BENCHMARK = vcr("vcr_qa", "VCR (Q to A)", answering)
