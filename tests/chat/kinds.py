"""Six small tokenizers, one for each way in which tokenizers differ, each with a chat format that suits it."""

from functools import cache

from transformers import PreTrainedTokenizerFast

from vertebra.catalog import Catalog
from vertebra.chat import ChatFormat
from vertebra.chat.proof import Proof
from vertebra.chat.template import bound
from vertebra.miniature import language, tokenizers

CHAT_TOKENS = ("<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|fim_pad|>", "<|endoftext|>")
GEMMA_TOKENS = ("<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", "<unused0>")
LLAMA_3 = ("llama_3", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", ("<|eot_id|>",))
KINDS = {
    "sentencepiece, pad is unk": ("vicuna_v1", "<image>", "<unk>", ("</s>",)),
    "sentencepiece, chat tokens added": ("phi_3", "<|placeholder1|>", "<|placeholder2|>", ("<|end|>", "<|endoftext|>")),
    "byte-level, begin token put before": LLAMA_3,
    "byte-level, no begin token": ("chatml", "<|image_pad|>", "<|fim_pad|>", ("<|im_end|>", "<|endoftext|>")),
    "byte-level, begin token not put before": ("gemma", "<unused0>", "<pad>", ("<end_of_turn>", "<eos>")),
    "sentencepiece, own pad": ("mistral", "[control_8]", "[control_9]", ("</s>",)),
}


@cache
def _corpus() -> tuple[str, ...]:
    return tuple(language.corpus(Catalog.installed().template("vicuna_v1"), 0, size=40))


@cache
def words(kind: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a kind; not to be changed."""
    chat, image, pad, _ = KINDS[kind]
    if chat == "phi_3":
        made = tokenizers.phi_3(_corpus(), (), 500)
    elif chat in ("vicuna_v1", "mistral"):
        made = tokenizers.sentencepiece(_corpus(), (), 500)
    else:
        made = tokenizers.llama_3(_corpus(), (), 500)
        if chat != "llama_3":
            made.add_tokens([*(CHAT_TOKENS if chat == "chatml" else GEMMA_TOKENS)], special_tokens=True)
            made.bos_token = None if chat == "chatml" else "<bos>"
            made.eos_token = "<|im_end|>" if chat == "chatml" else "<eos>"
    made.add_tokens([token for token in (image, pad) if token not in made.get_vocab()], special_tokens=True)
    return made


def proof(kind: str, template: str | None = None) -> Proof:
    """What is to be proven of a kind, or of another template on its tokenizer."""
    chat, image, pad, stop = KINDS[kind]
    catalog, known = Catalog.installed(), words(kind)
    written = bound(template or catalog.template(chat), image, ())
    return Proof(ChatFormat(written, known, image), known, stop, pad, len(known), catalog.example(chat))
