"""What a model is put together from: a causal language model and a CLIP vision tower, each as its folder holds it.

transformers builds them and knows their names; the tensors are handed to it one at a time, so memory never holds much
more than the weights. Left to itself it keeps every shard mapped until the last tensor is cast (1.5 times the weights
from bfloat16 to float32) and makes up what a folder lacks; here a missing tensor is an error.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedConfig,
    PreTrainedModel,
)

from vertebra.errors import ConfigError, DataError, Refused
from vertebra.model.weights import deferred
from vertebra.reading import read_text
from vertebra.spec import Backbone

INVALID = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, StrictDataclassError)
"""What transformers raises for settings that make no sense."""

_Model = TypeVar("_Model", bound=PreTrainedModel)


def language_of(folder: Path, backbone: Backbone, precision: torch.dtype) -> PreTrainedModel:
    """The causal language model in a folder, cast to a precision.

    `DataError` for weights that are missing, torn or of another shape than config.json says, `Refused` when that
    contradicts the backbone's file, is of no architecture that transformers knows, or the weights are quantised.
    """
    config = config_of(backbone, folder)
    if getattr(config, "quantization_config", None):
        raise Refused(f"{backbone.name}: {folder} holds quantised weights. Give a folder with the plain ones.")
    try:
        with torch.device("meta"):
            kind = type(AutoModelForCausalLM.from_config(config, trust_remote_code=False))
    except (RuntimeError, *INVALID) as error:
        raise Refused(
            f"{backbone.name}: {folder / 'config.json'} describes no causal language model that transformers builds: "
            f"{error}"
        ) from error
    return _filled(kind, config, folder, precision)


def tower_of(folder: Path, precision: torch.dtype) -> CLIPVisionModel:
    """The vision tower of a CLIP folder, with or without the text side; `DataError` and `Refused` as above."""
    return _filled(CLIPVisionModel, tower_config(folder), folder, precision)


def config_of(backbone: Backbone, folder: Path) -> PreTrainedConfig:
    """The backbone's config: the one in its folder, else that of its architecture with the facts that its file names.

    `Refused` when the two disagree or transformers does not know the architecture, `DataError` when config.json is
    damaged, `ConfigError` when there is neither.
    """
    facts = dict(backbone.config)
    try:
        if (folder / "config.json").is_file():
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        elif "model_type" in facts:
            config = AutoConfig.for_model(**facts)
        else:
            raise ConfigError(
                f"{backbone.name}: {folder} holds no config.json, and its file has no `config: {{model_type: ...}}`, "
                "so nothing says of which architecture it is. Add the line or give the folder with the weights."
            )
    except (OSError, RecursionError) as error:
        raise DataError(f"{folder / 'config.json'} cannot be read. Fetch it again. ({error})") from error
    except INVALID as error:
        raise Refused(f"{backbone.name}: transformers does not know its architecture: {error}") from error
    found = {name: _values(config, name) for name in facts}
    wrong = [f"{name} {' or '.join(map(repr, found[name])) or 'not at all'}, not {told!r}"
             for name, told in facts.items() if told not in found[name]]  # fmt: skip
    if wrong:
        raise Refused(f"{backbone.name}: its config.json says {', '.join(wrong)} as its file does.")
    return config


def tower_config(folder: Path) -> CLIPVisionConfig:
    """What a CLIP folder says of its tower. `Refused` for towers of another kind."""
    path = folder / "config.json"
    try:
        kind = json.loads(read_text(path))["model_type"]
        if kind not in ("clip", "clip_vision_model"):
            raise Refused(f"{folder} holds a tower of the kind {kind!r}; only CLIP's can be worn.")
        return CLIPVisionConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, RecursionError, *INVALID) as error:
        raise DataError(f"{path} does not describe a CLIP vision tower: {error}") from error


def listed(names: Iterable[str]) -> str:
    """The first names of many, for a message."""
    first, *rest = sorted(names)
    shown = [first, *rest[:3]]
    more = len(rest) - 3
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def dictionaries(value: object) -> Iterator[dict[str, object]]:
    """A dictionary and all that are nested in it."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from dictionaries(inner)


def _filled(kind: type[_Model], config: PreTrainedConfig, folder: Path, precision: torch.dtype) -> _Model:
    try:
        model, told = kind.from_pretrained(
            None, config=config, state_dict=deferred(folder, precision), dtype=precision, ignore_mismatched_sizes=True,
            output_loading_info=True,
        )  # fmt: skip
    except (SafetensorError, RuntimeError, OSError, *INVALID) as error:
        raise DataError(f"{folder} does not hold a loadable {kind.__name__}: {error}") from error
    if lacking := told["missing_keys"]:
        raise DataError(f"{folder}: its weights lack {listed(lacking)}. Fetch them again.")
    for name, found, wanted in sorted(told["mismatched_keys"]):
        raise DataError(f"{folder}: {name} is {list(found)}, but by config.json it has to be {list(wanted)}.")
    filled: _Model = model.eval()
    return filled


def _values(config: PreTrainedConfig, name: str) -> list[object]:
    """What a config says under a name: transformers 5 keeps what is about rotary positions in a place of its own."""
    if hasattr(config, name):
        return [getattr(config, name)]
    return [part[name] for part in dictionaries(getattr(config, "rope_parameters", None)) if name in part]
