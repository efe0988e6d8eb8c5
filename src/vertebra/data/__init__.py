"""From a corpus to the tensors of an optimizer step, in an order that a seed decides."""

from vertebra.data.course import Content, Course, Task
from vertebra.data.eyes import Eyes
from vertebra.data.packs import Pack, Packer
from vertebra.data.sampling import Schedule

__all__ = ["Content", "Course", "Eyes", "Pack", "Packer", "Schedule", "Task"]
