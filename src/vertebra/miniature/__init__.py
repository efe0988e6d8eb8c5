"""The study in miniature: real handwritten digits in coloured scenes, tiny backbones, the benchmarks in small.

Nothing is downloaded. `data` writes the data folder of the study `miniature`, `build` makes the shipped weights anew:
`python -m vertebra.miniature.build`.
"""
