"""A workshop for tests of studies: data makers installed as a plug-in, a small catalogue, and the command line.

The makers are real: worker processes find them through the entry points of a distribution on PYTHONPATH.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the engine's workers have it; read when torch is imported

from vertebra.benchmarks import benchmark
from vertebra.catalog import Catalog
from vertebra.files import append_rows
from vertebra.plan import Kind, Plan, Step, draw_plan
from vertebra.spec import Json, Study
from vertebra.store import Fingerprints, Store

settings.register_profile("busy", deadline=None)  # how long an example takes says more of the machine than of the code
settings.load_profile("busy")

MAKERS = """
import json, os, signal, sys, time
from pathlib import Path
from vertebra.errors import DataError

def quick(out, progress):
    (out / "made.txt").write_text("made")
    progress(1, 1)

def slow(out, progress):
    for number in range(10):
        (out / f"{number}.txt").write_text(str(number))
        progress(number, 10)
        time.sleep(0.02)

def endless(out, progress):
    while True:
        progress(1, 2)
        time.sleep(0.02)

def stubborn(out, progress):
    progress(1, 2)
    print("deaf", file=sys.stderr)
    time.sleep(600)

def buggy(out, progress):
    print("about to \\x1b[31mdivide")
    1 / 0

def refusing(out, progress):
    raise DataError("The archive is torn. Fetch it again.")

def dying(out, progress):
    print("last words", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGKILL)

def leaving(out, progress):
    (out / "made.txt").write_text("made")
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)

def big(out, progress):
    with (out / "big.bin").open("wb") as file:
        file.write(b"x" * 400_000)

def pope(out, progress):
    folder = out / "pope"
    folder.mkdir()
    with (folder / "llava_pope_test.jsonl").open("w") as questions:
        for start, subset in enumerate(("adversarial", "popular", "random")):
            with (folder / f"coco_pope_{subset}.json").open("w") as labels:
                for number, label in enumerate(("yes", "no")):
                    row = {"question_id": 2 * start + number, "image": f"{number}.jpg", "text": f"Is there a {number}?"}
                    print(json.dumps({**row, "label": label}), file=labels)
                    asked = row["text"] + "\\nAnswer the question using a single word or phrase."
                    print(json.dumps({**row, "text": asked, "category": subset}), file=questions)
    progress(4, 4)
"""

ENGINE = """
import json, sys
from pathlib import Path
from vertebra import engine
from vertebra.errors import VertebraError
from vertebra.plan import Plan, Step
from vertebra.runtime import Runtime
from vertebra.spec import Study
from vertebra.store import Store

store, workers, steps = Store(Path(sys.argv[1])), int(sys.argv[2]), json.loads(sys.argv[3])
plan = Plan(Study(study="t", families=("f",), backbones=("b",)), tuple(Step(**step) for step in steps))
def listen(event):
    if not isinstance(event, engine.Ticked):
        print(type(event).__name__, event.step.label, getattr(event, "message", ""), flush=True)
try:
    with store.lock("the test's engine") as lock:
        outcome = engine.run(plan, store, Runtime(workers=workers), lock, listen)
except VertebraError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
sys.exit(outcome.exit_code)
"""


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Workshop":
    """A furnished workshop, whose plug-in the worker processes of this test find."""
    built = furnish(tmp_path)
    monkeypatch.setenv("PYTHONPATH", built.environment["PYTHONPATH"])
    return built


@dataclass(frozen=True)
class Workshop:
    """A folder with a plug-in, a catalogue and a store."""

    root: Path
    environment: Mapping[str, str] = field(repr=False)

    @property
    def store(self) -> Path:
        return self.root / "store"

    def vertebra(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs the command line to its end."""
        return subprocess.run(
            [sys.executable, "-m", "vertebra", *map(str, arguments)],
            capture_output=True,
            text=True,
            env=dict(self.environment),
            cwd=self.root,
            timeout=120,
        )

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Starts the command line."""
        return self._popen("-m", "vertebra", *map(str, arguments))

    def start_engine(self, steps: list[Step], workers: int = 1) -> subprocess.Popen[str]:
        """Starts an engine on the store, for these steps; it prints every event."""
        fields = ("kind", "label", "crew", "spec", "needs", "after")
        plain = [{name: getattr(step, name) for name in fields} for step in steps]
        return self._popen("-c", ENGINE, str(self.store), str(workers), json.dumps(plain))

    def _popen(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(self.environment),
            cwd=self.root,
        )

    def study(self, text: str, name: str = "small") -> Path:
        """Writes a study of the workshop's catalogue."""
        path = self.root / f"{name}.yaml"
        path.write_text(f"study: {name}\ncatalog: catalog\n{text}")
        return path


def step(
    label: str, maker: str = "quick", needs: Sequence[Step] = (), crew: str = "", after: Sequence[Step] = ()
) -> Step:
    """A make step; its label tells its key from others'."""
    spec: dict[str, Json] = {"maker": maker, "label": label}
    keys, before = (tuple(one.key for one in others) for others in (needs, after))
    return Step("make", label, crew or label, spec, keys, before)


def plan(*steps: Step) -> Plan:
    """A plan of these steps."""
    return Plan(Study(study="t", families=("f",), backbones=("b",)), steps)


def furnish(root: Path) -> Workshop:
    """A workshop in an empty folder."""
    plugin = root / "plugin"
    names = [line.split("(")[0].removeprefix("def ") for line in MAKERS.splitlines() if line.startswith("def ")]
    _write(plugin / "workshop_makers.py", MAKERS)
    _write(plugin / "workshop-1.dist-info" / "METADATA", "Metadata-Version: 2.1\nName: workshop\nVersion: 1\n")
    points = "".join(f"{name} = workshop_makers:{name}\n" for name in names)
    _write(plugin / "workshop-1.dist-info" / "entry_points.txt", f"[vertebra.makers]\n{points}")
    _write_catalog(root / "catalog")
    _write(root / "weights" / "config.json", "{}")
    _write(root / "weights" / "model.safetensors", "")
    return workshop_in(root)


def workshop_in(root: Path) -> Workshop:
    """The workshop that lies in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(root / "plugin"), "COLUMNS": "80"}
    return Workshop(root, {name: value for name, value in environment.items() if not name.startswith("VERTEBRA_")})


def _write_catalog(catalog: Path) -> None:
    _write(catalog / "templates" / "bare.jinja", "{{ messages[0]['content'] }}\n")
    backbone = "weights: ./weights\nchat: bare\nimage: <image>\npad: <pad>\nstop: [</s>]\n"
    _write(catalog / "backbones" / "ada.yaml", backbone)
    _write(catalog / "backbones" / "bob.yaml", backbone.replace("<pad>", "<unk>"))
    stages = "".join(
        f"  {name}: {{mixture: few, learning_rate: {rate}, batch: 4}}\n"
        for name, rate in (("pretrain", 1e-3), ("finetune", 2e-5))
    )
    _write(catalog / "families" / "eyes.yaml", f"model: llava\nvision: ./weights\nlayers: [-2]\nstages:\n{stages}")
    _write(catalog / "mixtures" / "few.yaml", "records: [few.json]\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def pretend(workshop: Workshop, study: Path, kinds: Sequence[Kind] = ("check", "train", "predict")) -> Plan:
    """Puts results of all steps of these kinds into the store, for a study of POPE; the study's plan."""
    found, catalog = Catalog.installed().study(str(study))
    with chdir(workshop.root):  # its weights are given relative to where it is run
        drawn = draw_plan(found, catalog, {"pope": benchmark("pope")}, Fingerprints.of(Store(workshop.store), None))
    store = Store(workshop.store)
    rows = [{"question_id": number, "text": ("Yes", "No")[number % 2]} for number in range(6)]
    for one in drawn.steps:
        if one.kind in kinds and not store.done(one.key):
            append_rows(store.work(one.key) / "out" / "answers.jsonl", rows)
            store.commit(one.key, one.preimage(), one.label, {"seconds": 1.0})
    return drawn
