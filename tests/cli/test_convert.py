"""The convert command: what it prints, what it leaves behind, how it ends."""

import os
import signal
import threading
import time

import pytest
import typer
from tests.original import Source, eyes
from typer.testing import CliRunner

from vertebra.cli import main
from vertebra.cli.convert import convert
from vertebra.errors import Stopped, VertebraError

SOURCE = Source("vip_llava", "vicuna-s")

app = typer.Typer()
app.command()(convert)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    eyes().save_pretrained(tmp_path / "tower")
    SOURCE.write(tmp_path / "in", tower=False)
    return lambda *options: CliRunner().invoke(app, ["in", "out", *options])


def left(folder):
    """The names in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def test_what_was_converted_is_said_in_a_few_lines(run, tmp_path):
    result = run("--vision", "tower")
    assert result.exit_code == 0
    words = SOURCE.language.config.vocab_size
    rows = -(-(words + 1) // 64) * 64
    assert result.stdout.splitlines() == [
        "out: ViP-LLaVA on Llama, chat format llava_v1.",
        f"Vocabulary: {rows} rows, {rows - words} of them new.",
    ]
    assert left(tmp_path) == ["in", "out", "tower"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 4, "--vision DIR"),
        (["--vision", "nowhere"], 4, "nowhere"),
        (["--vision", "tower", "--chat", "vicuna"], 2, "Did you mean"),
        (["--vision", "tower", "--backbone", "phi-3-mini"], 3, "stop token"),
    ],
)
def test_bad_input_ends_with_the_contracts_code_and_nothing_written(options, code, said, run, tmp_path):
    error = run(*options).exception
    assert isinstance(error, VertebraError)
    assert error.exit_code == code
    assert said in str(error)
    assert left(tmp_path) == ["in", "tower"]


# an interrupt may fall between a library's opening of a folder and its `with`
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(number, run, tmp_path):
    def stop():
        while not any(tmp_path.glob(".out*")):
            time.sleep(0.001)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    threading.Thread(target=stop, daemon=True).start()
    error = run("--vision", "tower").exception
    assert isinstance(error, Stopped)
    assert error.exit_code == 128 + number
    assert "Nothing was written" in str(error)
    assert left(tmp_path) == ["in", "tower"]
    assert signal.getsignal(number) is before


def test_a_source_that_is_nowhere_is_one_paragraph_without_a_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["vertebra", "convert", "nowhere", "out"])
    with pytest.raises(SystemExit) as left_with:
        main()
    assert left_with.value.code == 4
    assert capsys.readouterr().err.startswith("error: nowhere/config.json cannot be read")
    assert left(tmp_path) == []
