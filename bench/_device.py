"""The accelerator that full sizes are measured on: whether there is one, its peak, and models made on it.

On a processor the same runs in tiny shapes, to see that it runs.
"""

import gc
import sys
import time
from collections.abc import Mapping

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

TOWER = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
"""CLIP ViT-L/14."""
VICUNA: Mapping[str, int] = {
    "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
    "vocab_size": 32064,
}  # fmt: skip
"""Vicuna-7B, its vocabulary grown to a multiple of 64."""
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}


def accelerator(name: str, small: bool) -> torch.device:
    """The accelerator; in small also a processor. Without one there is nothing to measure: exit code 4."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if not small:
        print(
            f"bench {name} needs an accelerator, and there is none here. --small shows that it runs.", file=sys.stderr
        )
        sys.exit(4)
    return torch.device("cpu")


def named(device: torch.device) -> str:
    """What it is called."""
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return "no accelerator: tiny shapes on the processor"


def now(device: torch.device) -> float:
    """Seconds, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def matmul_tflops(device: torch.device, small: bool) -> float:
    """Of large square matrices in bfloat16, the best of ten."""
    side = 512 if small else 8192
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(10):
        began = now(device)
        left @ right
        seconds.append(now(device) - began)
    return 2 * side**3 / min(seconds) / 1e12


def made(config: LlavaConfig, device: torch.device, precision: torch.dtype) -> LlavaForConditionalGeneration:
    """Random weights, made on the device, in the room of those that were made before and are not used any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    before = torch.get_default_dtype()
    torch.set_default_dtype(precision)
    try:
        torch.manual_seed(0)
        with device:
            return LlavaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
