"""The processor that a checkpoint brings: how its pictures become pixels, its words tokens, and its chat is written.

Some processors also take videos, and these need torchvision, which nothing here uses: then the same processor is put
together without them, as it is for a Qwen2-VL. Pictures are scaled by Pillow where torchvision is not installed.
"""

from pathlib import Path

from transformers import (
    AutoFeatureExtractor,
    AutoImageProcessor,
    AutoProcessor,
    AutoTokenizer,
    PreTrainedConfig,
    ProcessorMixin,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils import is_torchvision_available

from vertebra.errors import DataError

_PARTS = {"tokenizer": AutoTokenizer, "image_processor": AutoImageProcessor, "feature_extractor": AutoFeatureExtractor}
_VIDEOS = "video_processor"


def open_processor(folder: Path, config: PreTrainedConfig) -> ProcessorMixin:
    """The processor in a folder, whose model has this config.

    `ImportError` when it needs a package that is not installed, `DataError` when it is none for pictures and words.
    """
    kind = PROCESSOR_MAPPING.get(type(config), None)
    parts = {*kind.get_attributes()} if kind else set()
    if _VIDEOS in parts and parts <= {*_PARTS, _VIDEOS} and not is_torchvision_available():
        found = _without_videos(kind, folder)
    else:
        found = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not (hasattr(found, "tokenizer") and hasattr(found, "image_processor")):
        raise DataError(f"{folder} has no processor for pictures and words: its files make a {type(found).__name__}.")
    return found


class _NoVideos:
    """In the place of what takes videos. SmolVLM's processor looks up how many frames it would take."""

    num_frames = None
    fps = None


class _Stills:
    """Before a class of processors: what takes videos is missing."""

    def check_argument_for_proper_class(self, argument_name: str, argument: object) -> object:
        if argument_name == _VIDEOS:
            return None
        return super().check_argument_for_proper_class(argument_name, argument)  # type: ignore[misc]


def _without_videos(kind: type[ProcessorMixin], folder: Path) -> ProcessorMixin:
    """As `ProcessorMixin.from_pretrained` does it."""
    found, _ = kind.get_processor_dict(folder, local_files_only=True)
    parts = [
        _PARTS[name].from_pretrained(folder, local_files_only=True, trust_remote_code=False) if name in _PARTS else None
        for name in kind.get_attributes()
    ]
    still: type[ProcessorMixin] = type(kind.__name__, (_Stills, kind), {})
    processor = still.from_args_and_dict(parts, found)
    processor.video_processor = _NoVideos()
    return processor
