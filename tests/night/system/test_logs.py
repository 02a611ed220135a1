"""Log files of the night: JSON lines with ids, rotated, and no secret in any of them."""

from __future__ import annotations

import json
import logging
import threading

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from materialsdock.errors import DeviceFault
from materialsdock.ledger.folder import DataDirectory
from materialsdock.night.system import logs

CANARY = "xoxb-canary-7f3a99"
log = logging.getLogger("materialsdock.test")


@pytest.fixture
def begun(tmp_path):
    """Begins logging into a folder; what was there before is there again after the test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    yield lambda **more: logs.begin(DataDirectory(tmp_path), "worker", **more)
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    root.handlers, root.level = before, level
    structlog.reset_defaults()


def lines(path):
    """The lines after those that say who begins."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in found if line["event"] != "worker begins"]


def test_lines_are_json_with_role_level_time_and_ids(begun, capsys):
    path = begun()
    with logs.about(sample="S0001", job="xas-1"), logs.about(step=7):
        log.warning("counts %d of %s", 3, "it")
    log.info("after", extra={"points": 4})
    structlog.get_logger("materialsdock.other").info("own words", points=5)
    first, after, own = lines(path)
    assert path.name == "worker.jsonl"
    assert (first["event"], first["level"], first["role"]) == (
        "counts 3 of it",
        "warning",
        "worker",
    )
    assert (first["sample"], first["job"], first["step"]) == ("S0001", "xas-1", 7)
    assert first["logger"] == "materialsdock.test"
    assert first["timestamp"].endswith("Z")
    assert "sample" not in after
    assert after["points"] == 4
    assert (own["event"], own["points"], own["logger"]) == ("own words", 5, "materialsdock.other")
    assert "counts 3 of it" in capsys.readouterr().err


def test_ids_belong_to_their_thread(begun):
    path = begun()
    with logs.about(sample="S0001"):
        thread = threading.Thread(target=lambda: log.warning("elsewhere"))
        thread.start()
        thread.join()
    assert "sample" not in lines(path)[0]


def leak(error):
    """Log a secret in every way there is."""
    log.warning("sending to %s", f"slack://{CANARY}/B/C")
    log.warning("plain %s", CANARY)
    log.warning("with user", extra={"target": f"https://me:{CANARY}@example.org/x"})
    log.warning("header Authorization: Bearer %s", CANARY + "abcdef")
    log.warning("hook https://example.org/hooks/T0/%s", CANARY)
    log.warning("keys", extra={"api_key": CANARY, "nested": {"Password": CANARY, "n": [CANARY]}})
    structlog.get_logger("x").warning("event", token=CANARY, about={"secret": CANARY})
    try:
        raise error
    except DeviceFault:
        log.exception("failed")


@pytest.mark.parametrize("known", [True, False])
def test_no_secret_reaches_file_or_terminal(begun, capsys, tmp_path, known):
    secrets = tmp_path / "notify"
    secrets.write_text(f"# services\n{CANARY}\n")
    path = begun(secrets=logs.secrets_in(secrets) if known else ())
    if known:
        leak(DeviceFault(f"answer {CANARY}", where="it"))
    else:  # by its form alone
        log.warning("sending to %s", f"slack://{CANARY}/B/C")
        log.warning("with user", extra={"target": f"https://me:{CANARY}@example.org/x"})
        log.warning("Bearer %s", CANARY + "abcdef")
        log.warning("hook https://example.org/hooks/T0/%s", CANARY)
        log.warning("keys", extra={"api_key": CANARY, "nested": {"Password": CANARY}})
    said = path.read_text() + capsys.readouterr().err
    assert "canary" not in said
    assert logs.GONE in said
    if known:
        assert "DeviceFault" in said


def test_what_is_no_secret_stays(begun):
    path = begun()
    log.warning("at https://example.org/docs and file:///data, key 7, 7112.0 eV", extra={"key": 1})
    (line,) = lines(path)
    assert line["event"] == "at https://example.org/docs and file:///data, key 7, 7112.0 eV"
    assert line["key"] == 1


def test_files_are_rotated_and_only_so_many_kept(begun, tmp_path):
    begun(largest_bytes=1000)
    for number in range(400):
        log.warning("line %d %s", number, "x" * 100)
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == logs.KEPT + 1
    assert all(file.stat().st_size <= 1000 for file in files)
    assert lines(tmp_path / "logs" / "worker.jsonl")[-1]["event"].startswith("line 399 ")


def test_odd_values_do_not_break_a_line(begun):
    path = begun()
    log.warning("odd \ud800 %s", {"a": {1, 2}}, extra={"what": object(), "pair": (1, b"\xff")})
    assert len(lines(path)) == 1


@given(st.text(), st.text(min_size=4).filter(lambda s: len(s.strip()) >= 4))
def test_a_known_secret_is_gone_wherever_it_stands(words, secret):
    clean = logs.Redaction([secret]).text(f"{words} {secret.strip()} {words}")
    if secret.strip() not in logs.GONE:
        assert secret.strip() not in clean.replace(logs.GONE, "\0")


def test_beginning_twice_writes_each_line_once(begun):
    begun()
    path = begun()
    log.warning("once")
    assert len(lines(path)) == 1


def test_a_missing_file_of_secrets_is_no_fault(tmp_path):
    assert logs.secrets_in(None) == logs.secrets_in(tmp_path / "none") == []
