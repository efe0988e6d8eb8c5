"""What the tests of the tiny language models share."""

import pytest
from transformers import PreTrainedTokenizerFast

from vertebra.catalog import Catalog
from vertebra.chat import ChatFormat
from vertebra.miniature import language
from vertebra.miniature.teaching import Teacher
from vertebra.source import locate


@pytest.fixture(scope="module", params=["llama-3", "vicuna-s", "phi-3"])
def kin(request):
    """A kind of language model and its teacher, with the tokenizer that is shipped."""
    kind = language.KINDS[request.param]
    words = PreTrainedTokenizerFast.from_pretrained(locate(f"builtin:{request.param}"))
    return kind, Teacher(ChatFormat(Catalog.installed().template(kind.template), words, words.eos_token), words)
