"""What training costs, told before anything runs: floating-point operations, GPU-hours and memory. No torch.

    training = Training(Architecture.of(config), Tower.of(tower_config, layers=(-2,)), "projector+language", devices=8)
    training.flops(Samples.of(lengths, supervised=20_000, images=120))     for MFU: of the batch at hand
    rung = ladder(training, device, wanted=14_200, longest=2048)           Rung("selective", 14_200, Memory(...))

Everything follows from counting: no number is fitted to a measurement.
"""

from vertebra.costs.architecture import Architecture, Tower
from vertebra.costs.memory import GIB, MARGIN, RECOMPUTES, Memory, Recompute, Rung, ladder, memory_of
from vertebra.costs.steps import UTILISATION, Cost, Total, cost_of, speed_of, total_of, training_costs
from vertebra.costs.training import Samples, Training, Trains

__all__ = [
    "GIB",
    "MARGIN",
    "RECOMPUTES",
    "UTILISATION",
    "Architecture",
    "Cost",
    "Memory",
    "Recompute",
    "Rung",
    "Samples",
    "Total",
    "Tower",
    "Training",
    "Trains",
    "cost_of",
    "ladder",
    "memory_of",
    "speed_of",
    "total_of",
    "training_costs",
]
