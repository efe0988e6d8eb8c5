"""Tiny tokenizers of the three kinds that the study's backbones have, trained on the miniature's own words.

- `sentencepiece`: Llama-2's kind (Vicuna): blanks as U+2581, unknown bytes as <0x..>; `<unk>` 0, `<s>` 1, `</s>` 2.
- `phi_3`: the same with the chat tokens of Phi-3-mini behind the pieces.
- `llama_3`: byte-level with Llama-3's specials behind the merges.

Each has one token for every phrase that is always said the same way, so that a tiny model's prompts stay short.
"""

from collections.abc import Iterable, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

PHI_3 = (
    "<|endoftext|>", "<|assistant|>", "<|placeholder1|>", "<|placeholder2|>", "<|placeholder3|>", "<|placeholder4|>",
    "<|system|>", "<|end|>", "<|placeholder5|>", "<|placeholder6|>", "<|user|>",
)  # fmt: skip
LLAMA_3 = (
    "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
    "<|reserved_special_token_2|>", "<|reserved_special_token_3|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|reserved_special_token_4|>", "<|eot_id|>",
)  # fmt: skip

_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_WORDS = (
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"""
)
"""How Llama-3 cuts text before merging, without its look-ahead for runs of blanks."""


def sentencepiece(corpus: Iterable[str], phrases: Sequence[str], size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of Llama-2's kind with at most `size` ids."""
    core = _sentencepiece(corpus, phrases, size)
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<unk>"
    )


def phi_3(corpus: Iterable[str], phrases: Sequence[str], size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of Phi-3's kind with at most `size` ids and the chat tokens behind them."""
    core = _sentencepiece(corpus, phrases, size)
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in PHI_3])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="<|endoftext|>", unk_token="<unk>", pad_token="<|endoftext|>"
    )


def llama_3(corpus: Iterable[str], phrases: Sequence[str], size: int) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of Llama-3's kind with at most `size` ids and the specials behind them."""
    core = Tokenizer(BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(corpus, BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    core.add_tokens([AddedToken(phrase, normalized=False) for phrase in phrases])
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in LLAMA_3])
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")


def _sentencepiece(corpus: Iterable[str], phrases: Sequence[str], size: int) -> Tokenizer:
    core = Tokenizer(BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    # No merge is learnt across a blank or a punctuation mark; the finished tokenizer does not split, as Llama-2's.
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="never", split=True), pre_tokenizers.Punctuation()]
    )
    trainer = BpeTrainer(
        vocab_size=size, special_tokens=["<unk>", "<s>", "</s>", *_BYTES], show_progress=False, initial_alphabet=["▁"]
    )
    lines = (line for text in corpus for line in f" {text}".split("\n"))
    core.train_from_iterator(lines, trainer)
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    core.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    core.add_tokens([AddedToken(phrase, normalized=False) for phrase in phrases])
    return core


def surface(words: PreTrainedTokenizerFast, token: int) -> str:
    """The text that a token stands for, its leading blank kept; a special token's own name."""
    name = str(words.convert_ids_to_tokens(token))
    if name.startswith("<0x"):
        return chr(int(name[3:5], 16))
    if token in words.all_special_ids or name.startswith("<|"):
        return name
    return name.replace("▁", " ").replace("Ġ", " ").replace("Ċ", "\n")
