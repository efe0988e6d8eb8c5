"""Pictures: read them, make them square, draw visual prompts on them. No torch here.

from vertebra.visual import draw, random_mark, region
draw(Image.open("photo.jpg"), [random_mark("arrow", region((12, 20, 96, 88)), "red", Random(0))]).save("marked.png")
"""

from vertebra.visual.kinds import KINDS
from vertebra.visual.marks import COLOURS, Mark, constant_mark, draw, random_mark
from vertebra.visual.regions import Box, Region, outlined, region

__all__ = [
    "COLOURS",
    "KINDS",
    "Box",
    "Mark",
    "Region",
    "constant_mark",
    "draw",
    "outlined",
    "random_mark",
    "region",
]
