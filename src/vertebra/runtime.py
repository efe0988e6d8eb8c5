"""How a study is run: what is recorded of it and never hashed, for none of it may move a result.

devices: 8
launcher: [srun, torchrun, --nnodes=2]
tracking: [tensorboard]
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt

from vertebra.spec import demand_package, distinct


def _switch(value: object) -> object:
    """YAML 1.1 reads on and off as true and false."""
    return ("on" if value else "off") if isinstance(value, bool) else value


Service = Literal["tensorboard", "wandb", "trackio", "mlflow"]
"""What can show a training run while it goes on; each is a package of this name."""


class Part(NamedTuple):
    """Which of how many processes, from 1, that share a model's questions."""

    number: PositiveInt = 1
    of: PositiveInt = 1

    @property
    def is_whole(self) -> bool:
        """Whether there is no other."""
        return self.of == 1


class Runtime(BaseModel):
    """How a study is run (docs/training.md). No field of it may move a result, and none is hashed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    data: Path | None = None
    """The folder with the mixtures' and benchmarks' files, where no maker writes them."""
    workers: PositiveInt = 1
    """Crews that run side by side, each in a process of its own."""
    checkpoint_seconds: PositiveFloat = 30.0
    """Longest training time that a crash can cost."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What models run on; `auto` is the accelerator where there is one."""
    devices: PositiveInt = 1
    """Processes that train one model together."""
    launcher: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """The words of a command that starts them, [srun, torchrun, --nnodes=2]; empty is torchrun on this machine."""
    packing: Literal["auto", "padded"] = "auto"
    """`auto` lays samples end to end where the backbone can keep them apart, `padded` fills up the shorter ones."""
    pack_tokens: PositiveInt | None = None
    """Tokens that go through a model at a time; None is chosen from memory."""
    recompute: Literal["auto", "none", "selective", "full"] = "auto"
    """What the backward pass computes anew instead of keeping it; `auto` is as little as fits into memory."""
    compile: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = "auto"
    """Whether torch.compile makes kernels for the model's layers."""
    decoders: PositiveInt | None = None
    """Threads that decode images for each process; None follows from its cores."""
    concurrency: PositiveInt = 16
    """Questions put to an endpoint at a time."""
    peak_tflops: PositiveFloat | None = None
    """Dense bf16 matmul peak of one device in TFLOP/s, that MFU is told against; None leaves MFU out."""
    part: Part = Part()
    """What this process answers of the model's questions; those that share them need not know of each other."""
    show: Annotated[int, Field(ge=0)] = 0
    """Answers of each benchmark that are told as they come."""
    tracking: Annotated[tuple[Service, ...], AfterValidator(distinct)] = ()
    """Where training shows itself beside log.jsonl."""


def check_installed(services: Iterable[Service]) -> None:
    """`ConfigError` naming the extra to install when the package of one of the services is not there."""
    for service in services:
        demand_package(service, service, f"`tracking: [{service}]`", f"take {service} out of `tracking`")
