"""Checkpoints that plain transformers loads: `AutoModelForImageTextToText` and `AutoProcessor`, safetensors, no code.

A model and its processor travel together: the processor carries the tokenizer, the chat format and how an image
becomes pixels, so an evaluation cannot speak to a model otherwise than its training did.
"""

from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForImageTextToText,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
    ProcessorMixin,
    VipLlavaForConditionalGeneration,
)

from vertebra.chat import ChatFormat, Conversation
from vertebra.errors import ConfigError, DataError, Refused, VertebraError
from vertebra.model.processors import open_processor
from vertebra.runtime import Runtime

Network: TypeAlias = LlavaForConditionalGeneration | VipLlavaForConditionalGeneration


class VisionLanguageModel(NamedTuple):
    """The network and the processor that feeds it."""

    network: Network
    processor: LlavaProcessor

    @property
    def family(self) -> str:
        """The network's name in a family: `llava` or `vip_llava`."""
        return "vip_llava" if isinstance(self.network, VipLlavaForConditionalGeneration) else "llava"

    @property
    def chat(self) -> ChatFormat:
        """How the backbone is spoken to."""
        return self.chat_in(self.processor.chat_template)

    def chat_in(self, template: str) -> ChatFormat:
        """Another format for the same tokenizer, such as the bare captions of the first stage."""
        return ChatFormat(template, self.processor.tokenizer, self.processor.image_token)

    def prompt_ids(self, conversation: Conversation) -> list[int]:
        """Token ids of a conversation that awaits an answer, an image taking as many as it has positions."""
        image, times = self.processor.image_token_id, self.image_tokens
        ids = self.chat.prompt_ids(conversation)
        return [token for each in ids for token in [each] * (times if each == image else 1)]

    @property
    def image_tokens(self) -> int:
        """Positions that one image takes."""
        return int(self.network.config.image_seq_length)

    @property
    def side(self) -> int:
        """Side in pixels of the square that the tower sees."""
        return int(self.network.config.vision_config.image_size)


def save(model: VisionLanguageModel, folder: Path) -> None:
    """Writes config, weights, tokenizer, processor and chat format into a folder.

    `VertebraError` when they cannot be written, such as on a full disk.
    """
    try:
        model.network.save_pretrained(folder)
        model.processor.save_pretrained(folder)
    except SafetensorError as error:
        raise VertebraError(f"{folder} cannot be written: {error}. Free space and give the command again.") from error


class Checkpoint(NamedTuple):
    """Any model that plain transformers asks about pictures, and the processor that came with it."""

    network: PreTrainedModel
    processor: ProcessorMixin


def load(folder: Path) -> VisionLanguageModel:
    """The model in a folder, on the CPU in the precision it was saved in.

    `DataError` when it cannot be read or has no chat format, `Refused` when it is no LLaVA.
    """
    return worn(read(folder), folder)


def read(folder: Path) -> Checkpoint:
    """Whatever checkpoint a folder holds, on the CPU in the precision it was saved in.

    `DataError` when it cannot be read, `ConfigError` when that takes a package that is not installed.
    """
    try:
        network = AutoModelForImageTextToText.from_pretrained(
            folder, dtype="auto", local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
        processor = open_processor(folder, network.config)
    except ImportError as error:
        raise ConfigError(f"{folder} takes a package that is not installed: {_sentence(error)}") from error
    except VertebraError:
        raise
    except Exception as error:  # whatever a damaged file makes of the loader
        if "trust_remote_code" in str(error):
            told = "it brings code of its own, which is never run. Take a conversion that plain transformers loads."
            raise DataError(f"{folder} does not hold a loadable checkpoint: {told}") from error
        raise DataError(f"{folder} does not hold a loadable checkpoint: {_sentence(error)}") from error
    if network.generation_config.pad_token_id is None:
        network.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    return Checkpoint(network.eval(), processor)


def worn(checkpoint: Checkpoint, folder: Path) -> VisionLanguageModel:
    """A checkpoint as the LLaVA that it is. `DataError` when it has no chat format, `Refused` when it is none."""
    network, processor = checkpoint
    if not is_llava(network):
        raise Refused(f"{folder} holds a {type(network).__name__}, which is neither LLaVA-1.5 nor ViP-LLaVA.")
    if processor.chat_template is None:
        raise DataError(f"{folder} has no chat template, so nothing says how to speak to it. Convert it once more.")
    return VisionLanguageModel(network, processor)


def is_llava(network: PreTrainedModel) -> bool:
    """Whether it is a LLaVA-1.5 or a ViP-LLaVA."""
    return isinstance(network, LlavaForConditionalGeneration | VipLlavaForConditionalGeneration)


def _sentence(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())


def device_for(runtime: Runtime) -> str:
    """cuda where there is one, unless told otherwise. `ConfigError` where there is none and it is asked for."""
    there = torch.cuda.is_available()
    if runtime.device == "cuda" and not there:
        raise ConfigError("`device: cuda`: torch finds no accelerator on this machine. Take `auto` or `cpu`.")
    return ("cuda" if there else "cpu") if runtime.device == "auto" else runtime.device


def device_name(device: torch.device | str) -> str:
    """What it is, as results are told with it: `NVIDIA H100 80GB HBM3`, or `cpu`."""
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else torch.device(device).type


def device_of(network: torch.nn.Module) -> torch.device:
    """Where a network's first weight lies."""
    return next(network.parameters()).device
