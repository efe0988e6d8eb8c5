"""LoRA: the language model learns through low-rank adapters on its linear layers, put there by peft.

The projector is trained whole, head, embeddings and tower stay as they are. ViP-LLaVA's `finetune_stage2_lora.sh`:

    stage2:
      mixture: vip-llava-stage2
      learning_rate: 2.0e-4
      projector_learning_rate: 2.0e-5
      batch: 128
      lora: {rank: 128, alpha: 256}

What is kept is a checkpoint as of any other stage, the adapters merged into its weights. LoRA: arXiv:2106.09685;
QLoRA (`quantize: 4bit`): arXiv:2305.14314; peft: https://huggingface.co/docs/peft.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, LoraModel, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from peft.utils.integrations import dequantize_module_weight
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from vertebra.errors import VertebraError
from vertebra.files import sync
from vertebra.model import VisionLanguageModel, save
from vertebra.model.checkpoint import Network, device_of
from vertebra.spec import Lora
from vertebra.train.distributed import Ranks, settle

_ADAPTER = "default"
"""peft's name for the only one."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """A model whose trainable weights are adapters and a copy of its projector."""

    model: VisionLanguageModel
    lora: Lora
    adapters: LoraModel

    @classmethod
    def of(cls, model: VisionLanguageModel, lora: Lora, seed: int) -> "Adapted":
        """Puts adapters that change nothing yet into a model; they follow from `seed`.

        `ConfigError` where 4 bits are wanted and bitsandbytes is not installed.
        """
        lora.check_installed()
        if lora.quantize == "4bit":
            _quantize(model.network)
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=_linears(model.network),
            modules_to_save=["multi_modal_projector"],
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(model, lora, LoraModel(model.network, {_ADAPTER: config}, _ADAPTER))

    def save(self, folder: Path, precision: torch.dtype, ranks: Ranks) -> None:
        """Merges the adapters and writes the checkpoint, beside it `adapter/` where they are to be kept."""
        if not ranks.is_first:
            return
        if self.lora.keep == "adapter":
            self._save_adapter(folder / "adapter")
        self._merge()
        settle(self.model.network, precision, ranks)
        save(self.model, folder)

    def _save_adapter(self, folder: Path) -> None:
        """What `PeftModel.from_pretrained` reads, and no path of this machine."""
        config = self.adapters.peft_config[_ADAPTER]
        config.base_model_name_or_path, config.inference_mode = None, True
        config.save_pretrained(str(folder))
        weights = get_peft_model_state_dict(self.adapters, adapter_name=_ADAPTER, save_embedding_layers=False)
        _write({f"base_model.{name}": weight for name, weight in weights.items()}, folder / "adapter_model.safetensors")

    def _merge(self) -> None:
        """The model is a plain one again. peft's own merging would quantise 4-bit layers anew."""
        for layer in self.model.network.modules():
            if isinstance(layer, LoraLayer):
                layer.base_layer = _merged(layer)
        self.adapters.unload()


@torch.no_grad()
def _merged(layer: LoraLayer) -> nn.Linear:
    """The layer that does alone what the adapted one did; quantised weights return to their former precision."""
    base = layer.get_base_layer()
    assert isinstance(base, nn.Linear)
    weight = dequantize_module_weight(base)
    delta = layer.get_delta_weight(_ADAPTER)  # which all layers on linear ones have
    plain = nn.Linear(base.in_features, base.out_features, bias=False, device="meta")
    plain.weight = nn.Parameter(weight + delta.to(weight.dtype), requires_grad=False)
    plain.bias = base.bias
    return plain


def _linears(network: Network) -> str:
    """A pattern of the names of the language model's linear layers; a set's order would change from run to run."""
    parts = network.model.language_model.named_modules()
    ends = sorted({name.rpartition(".")[2] for name, part in parts if isinstance(part, nn.Linear)})
    return rf"model\.language_model\.(.*\.)?({'|'.join(ends)})"


def _quantize(network: Network) -> None:
    """Puts the language model's linear layers into 4-bit NormalFloat; they compute in bfloat16, as in QLoRA."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    language, device = network.model.language_model, device_of(network)
    for name, linear in list(language.named_modules()):
        if isinstance(linear, nn.Linear):
            sizes, has_bias = (linear.in_features, linear.out_features), linear.bias is not None
            small = Linear4bit(*sizes, has_bias, compute_dtype=torch.bfloat16, quant_type="nf4", device="meta")
            weight = Params4bit(linear.weight.data, requires_grad=False, quant_type="nf4", module=small)
            small.weight, small.bias = weight.to(device), linear.bias  # moving it is what quantises it
            language.set_submodule(name, small)
    network.is_loaded_in_4bit = True  # tells peft to use its layers for these


def _write(tensors: Mapping[str, Tensor], path: Path) -> None:
    """A safetensors file that survives a power cut. `VertebraError` when the disk is full."""
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        raise VertebraError(f"{path} cannot be written: {error}. Free space and give the command again.") from error
    sync(path)
