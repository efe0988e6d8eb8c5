"""ViP-Bench with marks that people drew (Cai et al., arXiv:2312.00784); files and rules are those of `vip_bench_bbox`.

human/questions.jsonl    {"question_id": 0, "image": "v1_0.png", "category": "...",
                          "text": "What is the value of the variable within the blue ellipse?"}
"""

from vertebra.benchmarks.vip_bench_bbox import benchmark

BENCHMARK = benchmark("human", "ViP-Bench (human)")
