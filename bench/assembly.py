"""How much memory it takes to put a LLaVA-1.5 together, beside what its weights weigh.

A language model of Llama-2-7B's shape and a tower of CLIP ViT-L/14-336's, random numbers in bfloat16, lie in folders;
each arm runs in a process of its own, assembles and (ours) saves, and says its peak beyond what the imports took.

    resident    VmHWM: everything, pages of mapped files among it, which the kernel may drop at any time
    anonymous   the most of RssAnon seen, every 5 ms: what cannot be dropped

Arms: `ours`, and `moved`, where both parts are loaded by transformers' `from_pretrained` and moved into the shell;
`ours_cast` and `moved_cast` cast to float32, a language model of 1.1 billion numbers.
"""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, CLIPVisionConfig, CLIPVisionModel, LlamaConfig

from bench.measurement import Arm, Measurement
from vertebra.catalog import Catalog
from vertebra.model import assemble, save
from vertebra.model.assemble import join
from vertebra.source import locate

_GIB = 2**30
_SHARD = 2 * _GIB
_WHOLE = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
_HALF = {"hidden_size": 2048, "intermediate_size": 5504, "num_hidden_layers": 20, "num_attention_heads": 16}
_SMALL = {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8}
_EYES = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}


def measure(small: bool) -> Measurement:
    """Peaks of every arm, and whether what was saved is bit for bit what was read."""
    with TemporaryDirectory(prefix="vertebra-bench-") as name:
        folder = Path(name)
        _write(folder / "half", _SMALL if small else _HALF)
        told = {arm: _told(arm, folder / "half") for arm in ("ours_cast", "moved_cast")}
        if not small:
            shutil.rmtree(folder / "half")
            _write(folder / "whole", _WHOLE)
        at = folder / ("half" if small else "whole")
        told |= {arm: _told(arm, at) for arm in ("moved", "ours")}
        equal = _is_same(at)
    arms = {
        f"{arm}.{field}": Arm(round(value, 3), "s" if "seconds" in field else "GiB")
        for arm, fields in told.items()
        for field, value in fields.items()
    }
    ours = told["ours"]
    ratios = {
        "ours/weights": ours["weights"] / ours["resident"],
        "ours_saving/weights": ours["weights"] / ours["saving_resident"],
        "ours_cast/weights": told["ours_cast"]["weights"] / told["ours_cast"]["resident"],
        "ours/moved": told["moved"]["resident"] / ours["resident"],
        "ours_cast/moved_cast": told["moved_cast"]["resident"] / told["ours_cast"]["resident"],
    }
    notes = [
        f"{arm}: {fields['resident'] / fields['weights']:.3f} x its weights resident, "
        f"{fields['anonymous'] / fields['weights']:.3f} x anonymous"
        for arm, fields in told.items()
    ]
    return Measurement("assembly", arms, {name: round(ratio, 3) for name, ratio in ratios.items()}, equal, notes)


def _told(arm: str, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.assembly", arm, str(folder)], check=True, stdout=subprocess.PIPE
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _write(folder: Path, shape: dict[str, int]) -> None:
    """Random parts with a tokenizer, each tensor made and forgotten in its turn."""
    said = LlamaConfig(vocab_size=32000, num_key_value_heads=shape["num_attention_heads"], **shape)
    seen = CLIPVisionConfig(image_size=336, patch_size=14, projection_dim=768, **_EYES)
    with torch.device("meta"):
        parts = {"language": AutoModelForCausalLM.from_config(said), "tower": CLIPVisionModel(seen)}
    for name, part in parts.items():
        (folder / name).mkdir(parents=True)
        part.config.dtype = torch.bfloat16
        part.config.save_pretrained(folder / name)
        _shard(folder / name, {key: tensor.shape for key, tensor in part.state_dict().items()})
    for file in locate("builtin:vicuna-s").glob("tokenizer*"):
        shutil.copy(file, folder / "language")


def _shard(folder: Path, shapes: dict[str, torch.Size]) -> None:
    shards: list[dict[str, torch.Tensor]] = [{}]
    placed: dict[str, str] = {}
    numbers = torch.randn(2**22, generator=torch.Generator().manual_seed(0)).mul_(0.02).to(torch.bfloat16)

    def flush() -> None:
        file = f"model-{len(shards):05}.safetensors"
        placed.update(dict.fromkeys(shards[-1], file))
        save_file(shards[-1], folder / file, metadata={"format": "pt"})
        shards[-1] = {}
        shards.append({})

    for name, shape in shapes.items():
        if sum(tensor.nbytes for tensor in shards[-1].values()) > _SHARD:
            flush()
        own = numbers.roll(len(placed) + len(shards[-1]))  # drawing billions anew would take minutes
        shards[-1][name] = own.repeat(-(-shape.numel() // len(own)))[: shape.numel()].view(shape)
    flush()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt", backend="pread") as file:
            for name in file.keys():  # noqa: SIM118
                yield name, file.get_tensor(name)


def _is_same(folder: Path) -> bool:
    """Whether every tensor of the parts is in the saved model, bit for bit."""
    saved: dict[str, Path] = {}
    for path in (folder / "saved").glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            saved |= dict.fromkeys(file.keys(), path)
    prefixes = {"language": "language_model.", "tower": "vision_tower."}
    for part, prefix in prefixes.items():
        for name, tensor in _tensors(folder / part):
            with safe_open(saved[prefix + name], framework="pt", backend="pread") as file:
                if not torch.equal(file.get_tensor(prefix + name), tensor):
                    return False
    return True


class _Watch:
    """Samples this process's memory until it is asked."""

    def __init__(self) -> None:
        self._begin, self._peak = _memory(), 0.0
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while True:
            self._peak = max(self._peak, _memory()["RssAnon"])
            time.sleep(0.005)

    def peaks(self) -> dict[str, float]:
        """The most so far beyond the beginning, in GiB."""
        return {
            "resident": _memory()["VmHWM"] - self._begin["VmRSS"],
            "anonymous": self._peak - self._begin["RssAnon"],
        }


def _memory() -> dict[str, float]:
    lines = Path("/proc/self/status").read_text().splitlines()
    pairs = (line.split()[:2] for line in lines if line.startswith(("VmHWM", "VmRSS", "RssAnon")))
    return {name.rstrip(":"): int(kilobytes) / 2**20 for name, kilobytes in pairs}


def _run(arm: str, folder: Path) -> dict[str, float]:
    """One arm, in a process that does nothing else."""
    catalog = Catalog.installed()
    backbone = catalog.backbone("tiny-vicuna-s").model_copy(update={"weights": str(folder / "language")})
    family = catalog.family("llava-1.5").model_copy(update={"vision": str(folder / "tower")})
    precision = torch.float32 if arm.endswith("_cast") else torch.bfloat16
    watch, begin = _Watch(), time.monotonic()
    if arm.startswith("ours"):
        model = assemble(family, backbone, catalog.template(backbone.chat), 0, precision)
        network = model.network
    else:
        language = AutoModelForCausalLM.from_pretrained(folder / "language", dtype=precision)
        tower = CLIPVisionModel.from_pretrained(folder / "tower", dtype=precision)
        network = join(family, tower, language, len(language.lm_head.weight) - 1, arm)
    told = {"seconds": time.monotonic() - begin, **watch.peaks()}
    told["weights"] = sum(weight.nbytes for weight in network.parameters()) / _GIB
    if arm == "ours":
        begin = time.monotonic()
        save(model, folder / "saved")
        told["saving_seconds"] = time.monotonic() - begin
        told |= {f"saving_{name}": peak for name, peak in watch.peaks().items()}
    return told


if __name__ == "__main__":
    print(json.dumps(_run(sys.argv[1], Path(sys.argv[2]))))
