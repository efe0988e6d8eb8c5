"""LoRA adapters become part of the weights they adapt: W + (alpha / r) B A, by the peft library.

arXiv:2106.09685; https://huggingface.co/docs/peft. An adapter's matrices are named after the causal language model:

    base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight
"""

import warnings
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor
from transformers import AutoModelForCausalLM

from vertebra.errors import DataError, Refused
from vertebra.model.checkpoint import Network


def merge(network: Network, folder: Path, adapter: dict[str, Tensor]) -> None:
    """Adds the adapter in a folder to the network's language model, in its stored precision."""
    with torch.device("meta"):
        language = AutoModelForCausalLM.from_config(network.config.text_config)
    language.model, language.lm_head = network.model.language_model, network.lm_head
    where = folder / "adapter_config.json"
    try:
        config = LoraConfig.from_pretrained(str(folder))
        if not isinstance(config, LoraConfig):
            raise Refused(f"{where} describes a {type(config).__name__}; only LoRA can be merged.")
        config.base_model_name_or_path = None  # what is adapted has no name here, and peft would remark on it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for what it has renamed
            adapted = get_peft_model(language, config)
        known = get_peft_model_state_dict(adapted).keys()
        if differing := sorted(known ^ adapter.keys()):
            lacks = "lacks" if differing[0] in known else "has no place for"
            raise DataError(f"{folder}: the adapter {lacks} {differing[0]}. Does it belong to this base?")
        set_peft_model_state_dict(adapted, adapter)
        network.lm_head = adapted.merge_and_unload(safe_merge=True).lm_head
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError) as error:
        raise DataError(f"{where} does not fit its weights or this base: {error}") from error
