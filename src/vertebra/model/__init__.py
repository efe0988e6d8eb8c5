"""Vision-language models: put together from a tower and a backbone, saved, loaded. Torch starts here."""

from vertebra.model.assemble import assemble
from vertebra.model.checkpoint import VisionLanguageModel, load, save

__all__ = ["VisionLanguageModel", "assemble", "load", "save"]
