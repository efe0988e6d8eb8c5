"""A backbone's contract: what is proven of it before anything trains on it.

The real tokenizer and chat format meet a tiny random copy of the backbone's own architecture, so no weights are
needed: what the tokenizer and the format do is exact, what the shells do to the logits depends on the architecture
alone, and eight samples are learned by heart and said again by `generate`.

    Report("llama-3-8b", (Check("labels", True, "14 conversations, 24 answers, ..."), ...))
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoModelForCausalLM,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

from vertebra.chat import ChatFormat, Conversation, Turn
from vertebra.chat.fitting import fit
from vertebra.chat.proof import Check, Proof
from vertebra.chat.template import IGNORED, bound
from vertebra.errors import DataError, Refused
from vertebra.model.assemble import grow, join
from vertebra.model.checkpoint import VisionLanguageModel
from vertebra.model.head import TOLERANCE
from vertebra.model.parts import config_of, dictionaries
from vertebra.model.speech import generation_of, open_tokenizer, processor_of
from vertebra.source import locate, missing
from vertebra.spec import Backbone, Family, Json, Stage

_SIDE, _PATCH = 28, 14
_STEPS, _RATE, _LEARNED_WELL = 300, 5e-3, 0.5
_LONGEST = 10**6
_RIVALS, _NEAR = 4096, 128
_LEARNED = (
    ("Is there a dog?", "No, a cat."),
    ("How many?", "7"),
    ("Which option?", "B"),
    ("What color?", "dark blue"),
    ("Describe it.", "A small cat\nsits on a mat."),
    ("这是什么？", "一只猫。"),
    ("Where?", "On the left 🙂"),
    ("Name both.", "cat, mat"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of a backbone."""

    backbone: str
    checks: tuple[Check, ...]

    @property
    def fits(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def document(self) -> dict[str, Json]:
        """As JSON."""
        checks = [check._asdict() for check in self.checks]
        return {"backbone": self.backbone, "fits": self.fits, "checks": checks}

    def demand(self) -> None:
        """`Refused`, with every reason, unless the backbone fits."""
        reasons = "; ".join(f"{check.name}: {check.figure}" for check in self.checks if not check.passed)
        if reasons:
            raise Refused(f"{self.backbone} does not fit: {reasons.rstrip('.')}.")


class Fitting(NamedTuple):
    """A backbone ready to be examined."""

    backbone: Backbone
    tokenizer: PreTrainedTokenizerFast
    config: PreTrainedConfig
    template: str
    example: str | None


def examine(backbone: Backbone, template: str, example: str | None = None, tokenizer: Path | None = None) -> Report:
    """Every check on a backbone; `tokenizer` is a folder, without one it is looked for beside the weights.

    `DataError` when there is no tokenizer, `ConfigError` when nothing says of which architecture the model is.
    """
    folder = tokenizer or _tokenizer_folder(backbone)
    config = config_of(backbone, folder)
    try:
        words = open_tokenizer(folder, backbone)
    except Refused as error:
        return Report(backbone.name, (Check("stop tokens", False, str(error)),))
    return Report(backbone.name, tuple(_checks(Fitting(backbone, words, config, template, example))))


def speech_of(backbone: Backbone, template: str, tokenizer: Path | None = None) -> ChatFormat:
    """A chat format on the backbone's tokenizer, found as `examine` finds it."""
    words = open_tokenizer(tokenizer or _tokenizer_folder(backbone), backbone)
    return ChatFormat(bound(template, backbone.image, backbone.compat, words.chat_template), words, backbone.image)


def _tokenizer_folder(backbone: Backbone) -> Path:
    lacking = missing(backbone.weights, weights=False)
    if lacking:
        raise DataError(
            f"The tokenizer of {backbone.name} is not at hand: {lacking} Or name its folder: --tokenizer DIR."
        )
    return locate(backbone.weights, weights=False)


def _checks(fitting: Fitting) -> Iterator[Check]:
    backbone, words, config = fitting.backbone, fitting.tokenizer, fitting.config
    try:
        model = tiny(fitting)
    except Refused as error:
        yield Check("head", False, str(error))
        return
    fits = True
    proof = Proof(model.chat, words, backbone.stop, backbone.pad, int(config.vocab_size), fitting.example)
    for check in proof.checks():
        fits &= check.passed
        yield check
    yield Check("head", True, f"{config.model_type}: logits for text are its own, to {TOLERANCE:g} of the largest")
    if fits:
        yield _processor(model)
        yield _by_heart(model)


def tiny(fitting: Fitting) -> VisionLanguageModel:
    """The backbone in a LLaVA shell, a few thousand times smaller and untrained; every id has its row."""
    torch.manual_seed(0)
    words, backbone = fitting.tokenizer, fitting.backbone
    language = AutoModelForCausalLM.from_config(shrunk(fitting.config), dtype=torch.float32).eval()
    grow(language, len(words))
    with torch.no_grad():  # far apart, so that they need not be trained
        language.get_input_embeddings().weight.normal_(std=0.1)
        if getattr(language.get_output_embeddings(), "bias", None) is not None:
            language.get_output_embeddings().bias.normal_()  # new ones are zero, trained ones are not
    tower = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=_SIDE,
            patch_size=_PATCH, projection_dim=16,
        )
    )  # fmt: skip
    stage = Stage(mixture="none", learning_rate=1, batch=1)
    family = Family(model="llava", vision="none", layers=(-2,), stages={"none": stage})
    network = join(family, tower, language, words.convert_tokens_to_ids(backbone.image), backbone.name)
    network.generation_config = generation_of(backbone, words)
    return VisionLanguageModel(network, processor_of(backbone, words, fitting.template, _SIDE, _PATCH))


def shrunk(config: PreTrainedConfig) -> PreTrainedConfig:
    """A copy of a config with two layers and 64 hidden units; what shapes the architecture stays."""
    small = copy.deepcopy(config)
    layers, heads, kv = config.num_hidden_layers, config.num_attention_heads, _kv(config)
    old = getattr(config, "head_dim", None) or config.hidden_size // heads
    for name, value in vars(config).items():
        if isinstance(value, list) and len(value) == layers:
            setattr(small, name, [value[0], value[-1]])
    sizes = {
        "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "head_dim": 16,
        "num_key_value_heads": 4 if kv == heads else min(2, kv), "hidden_size_per_layer_input": 8,
        "query_pre_attn_scalar": 16,
    }  # fmt: skip
    for name, size in sizes.items():
        if getattr(config, name, None) is not None:
            setattr(small, name, size)
    for rope in dictionaries(getattr(small, "rope_parameters", None)):
        for name in ("short_factor", "long_factor"):
            if name in rope:
                factors = rope[name]
                assert isinstance(factors, list)
                rope[name] = factors[: max(1, len(factors) * 16 // old)]
    return small


def _kv(config: PreTrainedConfig) -> int:
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)


def _processor(model: VisionLanguageModel) -> Check:
    """What transformers makes of a chat by itself is what training makes of it."""
    again = Turn("user", "Is it  or ?\nSay 好 🙂", images=2, places=(6, 10))
    turns = (Turn("user", "What is it?", images=1), Turn("assistant", "a cat"), again)
    picture = Image.new("RGB", (40, 20))
    messages = [turn.message() for turn in turns]
    for upto in (1, 3):
        theirs = model.processor.apply_chat_template(
            [_shown(message, picture) for message in messages[:upto]],
            add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
        )["input_ids"][0].tolist()  # fmt: skip
        ours = model.prompt_ids(Conversation(turns[:upto]))
        if theirs != ours:
            spelled = model.processor.tokenizer.decode(theirs)
            return Check("processor", False, f"a prompt through the processor is {len(theirs)} ids, {spelled!r}, "
                         f"{len(ours)} were trained on")  # fmt: skip
    return Check("processor", True, "2 prompts are id for id what training writes")


def _shown(message: object, picture: Image.Image) -> dict[str, object]:
    assert isinstance(message, dict)
    parts = [{"type": "image", "image": picture} if part["type"] == "image" else part for part in message["content"]]
    return {**message, "content": parts}


def _by_heart(model: VisionLanguageModel) -> Check:
    """Learns eight samples and lets `generate` say them again, each with its stop.

    The head gets a matrix of its own, for one that is also the embedding starts by saying every token again.
    """
    head = model.network.lm_head
    model.network.lm_head = nn.Linear(head.in_features, head.out_features, bias=False)
    nn.init.normal_(model.network.lm_head.weight)
    pictures = torch.rand(len(_LEARNED), 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
    conversations = [Conversation((Turn("user", asked, images=1), Turn("assistant", told))) for asked, told in _LEARNED]
    steps, loss = _learn(model, conversations, pictures)
    wrong = []
    for conversation, picture in zip(conversations, pictures, strict=True):
        wanted = [label for label in model.chat.supervise(conversation).labels if label != IGNORED]
        prompt = torch.tensor([model.prompt_ids(Conversation(conversation.turns[:1]))])
        said = model.network.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            pixel_values=picture[None],
            max_new_tokens=len(wanted) + 4,
        )[0, prompt.shape[1] :].tolist()
        if said != wanted:
            wrong.append(f"{model.processor.tokenizer.decode(said)!r} for {conversation.turns[1].text!r}")
    if wrong:
        return Check(
            "by heart", False, f"{len(wrong)} of {len(_LEARNED)} come back wrong, as {wrong[0]}; loss {loss:.2g}"
        )
    return Check("by heart", True, f"{len(_LEARNED)} samples said again with their stops after {steps} steps")


def _learn(
    model: VisionLanguageModel, conversations: Sequence[Conversation], pictures: torch.Tensor
) -> tuple[int, float]:
    """Trains all but the tower and the vocabulary until every token is told; the steps that took, and the last loss."""
    network = model.network
    told = [
        fit(model.chat.supervise(each), model.processor.image_token_id, model.image_tokens, _LONGEST)
        for each in conversations
    ]
    ids = pad_sequence([torch.tensor(each.ids) for each in told], batch_first=True)
    labels = pad_sequence([torch.tensor(each.labels) for each in told], batch_first=True, padding_value=IGNORED)
    wanted = labels[:, 1:]
    supervised = wanted != IGNORED
    for frozen in (network.model.vision_tower, network.get_input_embeddings(), network.lm_head):
        frozen.requires_grad_(False)
    optimizer = torch.optim.AdamW([weight for weight in network.parameters() if weight.requires_grad], lr=_RATE)
    targets = wanted[supervised]
    rivals = torch.cat([targets, _some_ids(len(network.lm_head.weight))]).unique()  # type: ignore[no-untyped-call]
    step, loss = 0, torch.tensor(float("inf"))
    while step < _STEPS:
        states = network.model(input_ids=ids, pixel_values=pictures, use_cache=False).last_hidden_state
        asking = states[:, :-1][supervised]
        logits = asking @ network.lm_head.weight[rivals].T
        losses = functional.cross_entropy(logits, torch.searchsorted(rivals, targets), reduction="none")
        loss = losses.mean()
        if losses.max() < _LEARNED_WELL:
            said = network.lm_head(asking.detach()).topk(_NEAR).indices
            if torch.equal(said[:, 0], targets):
                break
            rivals = torch.cat([rivals, said.flatten()]).unique()  # type: ignore[no-untyped-call]
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        step += 1
    return step, loss.item()


def _some_ids(rows: int) -> torch.Tensor:
    """Enough of the vocabulary to learn against; of the rest, what comes near the top joins them."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(0))[:_RIVALS]
