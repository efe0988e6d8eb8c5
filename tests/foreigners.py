"""Checkpoints of other people's architectures in small: random weights, real processors, trained tokenizers, on disk.

Each is written as its original is published, so that plain transformers loads it.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import torch
from tests.anatomy import BACKBONES
from tokenizers.processors import TemplateProcessing
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextProcessor,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from vertebra.catalog import Catalog
from vertebra.miniature import language

SIDE, PATCH = 56, 14
IMAGES = "{% for part in message.content if part.type == 'image' %}{{ '<image>\\n' }}{% endfor %}"
WORDS = "{% for part in message.content if part.type == 'text' %}{{ part.text }}{% endfor %}"
LLAVA_HF = (
    "{% for message in messages %}{{ message.role.upper() + ': ' }}" + IMAGES + WORDS + "{{ ' ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
"""https://huggingface.co/llava-hf/llava-1.5-7b-hf in the parts that matter here: no first token, pictures first."""
IDEFICS = (
    "<|begin_of_text|>{% for message in messages %}{{ message.role | capitalize }}:"
    "{% for part in message.content %}{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""https://huggingface.co/HuggingFaceTB/SmolVLM-Instruct"""
QWEN = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' if part.type == 'image' else part.text }}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""https://huggingface.co/Qwen/Qwen2-VL-2B-Instruct"""


def llava_hf(folder: Path, **eyes: object) -> None:
    """A LLaVA whose processor cuts pictures at the centre, unless told how it sees them."""
    words = _words("vicuna-s", "<image>", "<pad>")
    _begin_with(words, "<s>")
    image = words.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=_clip(), text_config=_llama(words), image_token_index=image, image_seq_length=16)
    images = CLIPImageProcessorPil(**{"size": {"shortest_edge": SIDE}, "crop_size": _square(), **eyes})
    _write(folder, LlavaForConditionalGeneration(config), words)
    LlavaProcessor(images, words, PATCH, "default", LLAVA_HF, num_additional_image_tokens=1).save_pretrained(folder)


def llava_next(folder: Path) -> None:
    """Tiles beside the whole picture; the template leaves the first token to the tokenizer."""
    words = _words("vicuna-s", "<image>", "<pad>")
    _begin_with(words, "<s>")
    grid = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
    image = words.convert_tokens_to_ids("<image>")
    config = LlavaNextConfig(
        vision_config=_clip(), text_config=_llama(words), image_token_index=image, image_grid_pinpoints=grid
    )
    images = LlavaNextImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=_square(), image_grid_pinpoints=grid)
    _write(folder, LlavaNextForConditionalGeneration(config), words)
    LlavaNextProcessor(images, words, PATCH, "default", LLAVA_HF, num_additional_image_tokens=1).save_pretrained(folder)


def idefics3(folder: Path) -> None:
    """Pictures cut into as many tiles as they have room for; the template begins the text itself."""
    places = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    words = _words(
        "llama-3", "<image>", "<pad>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>", *places
    )
    _begin_with(words, "<|begin_of_text|>")
    words.eos_token = "<end_of_utterance>"
    seen = {"image_size": SIDE, "patch_size": PATCH, "hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 2}  # fmt: skip
    config = Idefics3Config(
        image_token_id=words.convert_tokens_to_ids("<image>"), vision_config=seen, text_config=_llama(words),
        scale_factor=2,
    )  # fmt: skip
    images = Idefics3ImageProcessorPil(size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE})
    _write(folder, Idefics3ForConditionalGeneration(config), words)
    Idefics3Processor(images, words, image_seq_len=4, chat_template=IDEFICS).save_pretrained(folder)


def qwen2_vl(folder: Path) -> None:
    """Pictures of any size, places in two dimensions, and a processor that would take videos: as it was released."""
    named = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    words = _words("llama-3", "<|im_start|>", "<|im_end|>", *named, "<pad>")
    words.eos_token = "<|im_end|>"
    begin, end, image, video = words.convert_tokens_to_ids([*named])
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = Qwen2VLConfig(
        text_config={**_SIZE, "vocab_size": len(words), "rope_parameters": rope,
                     "bos_token_id": None, "eos_token_id": words.eos_token_id},
        vision_config={"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2},
        image_token_id=image, video_token_id=video, vision_start_token_id=begin, vision_end_token_id=end,
    )  # fmt: skip
    network = Qwen2VLForConditionalGeneration(config)
    _write(folder, network, words)
    words.save_pretrained(folder)
    Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=6 * 28 * 28).save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(QWEN)


KINDS: Mapping[str, Callable[[Path], None]] = {
    "llava_hf": llava_hf,
    "llava_next": llava_next,
    "idefics3": idefics3,
    "qwen2_vl": qwen2_vl,
}


@cache
def checkpoint(kind: str) -> Path:
    """The folder of a checkpoint."""
    folder = Path(mkdtemp(prefix=f"vertebra-{kind}-"))
    KINDS[kind](folder)
    return folder


_SIZE = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 1024,
}  # fmt: skip


def _llama(words: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(vocab_size=len(words), bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, **_SIZE)


def _clip() -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2,
        image_size=SIDE, patch_size=PATCH,
    )  # fmt: skip


def _square() -> dict[str, int]:
    return {"height": SIDE, "width": SIDE}


def _words(kind: str, *named: str) -> PreTrainedTokenizerFast:
    """A backbone's tokenizer in which these are tokens; `<pad>` pads."""
    template = Catalog.installed().template(BACKBONES[kind].chat)
    words = language.KINDS[kind].tokenizer(language.corpus(template, 0, size=30), (), 450)
    words.add_special_tokens({"additional_special_tokens": [*named]})
    words.pad_token = "<pad>"
    return words


def _begin_with(words: PreTrainedTokenizerFast, first: str) -> None:
    """Has the tokenizer begin every text, as Llama's do."""
    token = words.convert_tokens_to_ids(first)
    words.backend_tokenizer.post_processor = TemplateProcessing(single=f"{first} $A", special_tokens=[(first, token)])


def _write(folder: Path, network: PreTrainedModel, words: PreTrainedTokenizerFast) -> None:
    """Weights so loud that what is said depends on all that was seen."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.2)
    network.generation_config = GenerationConfig(eos_token_id=[words.eos_token_id], pad_token_id=words.pad_token_id)
    network.save_pretrained(folder)
