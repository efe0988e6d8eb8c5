"""A fast tokenizer without transformers around it: the same ids in half the time, and a process can be sent it.

bare(AutoTokenizer.from_pretrained("data/tokenizers/vicuna")).encode("a cat", add_special_tokens=False)   [263, 6635]

(https://huggingface.co/docs/tokenizers/api/tokenizer; transformers keeps it as `backend_tokenizer`.)
"""

from dataclasses import dataclass

import tokenizers

from vertebra.chat.template import Tokenizer
from vertebra.errors import Refused
from vertebra.spec import digest


@dataclass(frozen=True, slots=True)
class Bare:
    """What a chat format needs of a tokenizer."""

    backend: tokenizers.Tokenizer
    bos_token: str | None
    eos_token: str | None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a text; special tokens spelled in it become their ids."""
        # The batch leaves out where in the text each token stands.
        (encoded,) = self.backend.encode_batch_fast([text], add_special_tokens=add_special_tokens)
        ids: list[int] = encoded.ids
        return ids

    def convert_tokens_to_ids(self, tokens: str) -> int:
        """The id of one token. `Refused` where there is none."""
        found: int | None = self.backend.token_to_id(tokens)
        if found is None:
            raise Refused(f"The tokenizer knows no token {tokens!r}.")
        return found

    def digest(self) -> str:
        """SHA-256 of everything that decides its ids, 64 hex digits."""
        return digest([self.backend.to_str(), self.bos_token, self.eos_token])


def bare(tokenizer: Tokenizer) -> Bare:
    """A tokenizer's own part, in a copy that neither cuts nor pads. `Refused` for one that is not a fast one."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, tokenizers.Tokenizer):
        raise Refused(f"A tokenizer of the kind {type(tokenizer).__name__} is none of the fast ones. Convert it.")
    copy = tokenizers.Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return Bare(copy, tokenizer.bos_token, tokenizer.eos_token)
