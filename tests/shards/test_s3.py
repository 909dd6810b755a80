"""S3, against a real server: the same documents as from files, atomic output, standard settings, clear refusals."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import ConfigError, DataError, StorageError
from dolmino_cli.shards import storage
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.reading import Quarantined
from dolmino_cli.shards.s3_client import client
from dolmino_cli.shards.storage import Output
from dolmino_cli.shards.writing import DocumentWriter
from tests.s3_server import KEY, SECRET, S3Server
from tests.shards.make import line, packed, read

A, B = line("a", "one"), line("b", "zwei \u2028")
DOCUMENTS = [(1, "a", "one", A), (2, "b", "zwei \u2028", B)]


def put(s3: S3Server, key: str, content: bytes) -> str:
    s3.file(key).write_bytes(content)
    return s3.uri(key)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_reading_json_lines(s3: S3Server, suffix: str) -> None:
    uri = put(s3, f"read/odd key + 100% #1?{suffix}", packed(A + b"\n" + B, suffix))
    assert read(uri) == (DOCUMENTS, [])
    assert read(put(s3, f"read/empty{suffix}", packed(b"", suffix))) == ([], [])


def test_reading_parquet(s3: S3Server) -> None:
    rows = [{"id": "a", "text": "one"}, {"id": "b", "text": "zwei"}]
    pq.write_table(pa.Table.from_pylist(rows), s3.file("read/x.parquet"))
    assert read(s3.uri("read/x.parquet")) == ([(1, "a", "one", rows[0]), (2, "b", "zwei", rows[1])], [])


def test_faults_name_the_uri(s3: S3Server) -> None:
    uri = put(s3, "faults/x.jsonl.zst", packed(A + b"\nnot json\n", ".zst"))
    with pytest.raises(DataError) as failure:
        read(uri)
    assert str(failure.value) == f"{uri}:2: invalid JSON: Expecting value at character 1"
    cut = put(s3, "faults/cut.jsonl.gz", packed(A + b"\n" + B, ".gz")[:-9])
    documents, aside = read(cut, "quarantine")
    reason = "truncated: the gzip data ends before its end mark"
    assert (documents, aside) == (DOCUMENTS[:1], [Quarantined(line=2, reason=reason, record=aside[0].record)])


def test_listing(s3: S3Server) -> None:
    for key in ("list/b.jsonl", "list/a/c.parquet", "list/a/note.txt", "list/.x.jsonl", "list-not/d.jsonl"):
        put(s3, key, b"12345")
    listed = list_shards([s3.uri("list")])
    assert [(shard.name, shard.path, shard.bytes) for shard in listed] == [
        ("a/c.parquet", s3.uri("list/a/c.parquet"), 5),
        ("b.jsonl", s3.uri("list/b.jsonl"), 5),
    ]
    assert listed[1].etag == "827ccb0eea8a706c4c34a16891f84e7b"  # md5 of 12345
    assert list_shards([s3.uri("list/")]) == listed
    assert [shard.name for shard in list_shards([s3.uri("list/**/*.parquet")])] == ["a/c.parquet"]
    assert [shard.name for shard in list_shards([s3.uri("list*/*.jsonl")])] == ["list-not/d.jsonl", "list/b.jsonl"]
    assert [shard.name for shard in list_shards([s3.uri("list/b.jsonl")])] == ["b.jsonl"]
    with pytest.raises(ConfigError, match=r"/none: no shards found"):
        list_shards([s3.uri("none")])


def test_the_output_of_a_run_means_its_documents(s3: S3Server) -> None:
    for key in ("run1/run.json", "run1/documents/x.jsonl", "run1/ledger/x.json", "run1/rejects/x.jsonl"):
        put(s3, key, b"12345")
    assert [shard.name for shard in list_shards([s3.uri("run1")])] == ["x.jsonl"]


def test_more_keys_than_one_page(s3: S3Server) -> None:
    for i in range(1003):
        put(s3, f"many/{i:04d}.jsonl", b"")
    assert len(list_shards([s3.uri("many")])) == 1003


def test_nothing_shows_before_publish(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the machine's own has other runs' scratch files
    output = Output(s3.uri("out"))
    with output.create("a/x.jsonl.zst") as pending:
        writer = DocumentWriter(pending, ".jsonl.zst")
        writer.write(pa.array([A, B], pa.large_binary()))
        writer.finish()
        assert (output.exists("a/x.jsonl.zst"), storage.list_names(s3.uri("out"), "")) == (False, [])
        pending.publish()
    assert storage.list_names(s3.uri("out"), "") == ["a/x.jsonl.zst"]
    assert read(s3.uri("out/a/x.jsonl.zst")) == (DOCUMENTS, [])
    assert s3.file("out/a/x.jsonl.zst").stat().st_size == pending.bytes
    with pytest.raises(KeyError), output.create("b") as pending:
        pending.write(b"half")
        raise KeyError
    assert storage.list_names(s3.uri("out"), "") == ["a/x.jsonl.zst"]
    assert list((tmp_path / f"dolmino-{os.getuid()}").iterdir()) == []


def test_a_file_of_many_parts(s3: S3Server) -> None:
    """20 MB go up in three parts."""
    content = bytes(range(256)) * 80_000
    with Output(s3.uri("parts")).create("x") as pending:
        pending.write(content)
        pending.publish()
    assert s3.file("parts/x").read_bytes() == content


def test_small_files(s3: S3Server) -> None:
    output = Output(s3.uri("small"))
    assert (output.read("a/b"), output.exists("a/b"), output.local_path("a/b")) == (None, False, None)
    output.put("a/b", b"1")
    assert (output.read("a/b"), output.exists("a/b")) == (b"1", True)
    assert storage.read_bytes(s3.uri("small/a/b")) == b"1"
    output.delete("a/b")
    output.delete("a/b")
    assert output.read("a/b") is None


def test_fetch_keeps_by_content(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOLMINO_CACHE", str(tmp_path))
    uri = put(s3, "fetch/model.bin", b"first")
    local = storage.fetch(uri)
    assert (local.name, local.read_bytes(), storage.fetch(uri)) == ("model.bin", b"first", local)
    put(s3, "fetch/model.bin", b"second")
    assert storage.fetch(uri).read_bytes() == b"second"
    assert local.read_bytes() == b"first"
    assert [path for path in tmp_path.rglob("*") if path.name.endswith(".partial")] == []


def test_two_machines_that_fetch_at_once_into_one_cache_do_not_meet(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of both may have one number."""
    monkeypatch.setenv("DOLMINO_CACHE", str(tmp_path))
    uri, copy = put(s3, "fetch/x.bin", b"abc"), shutil.copyfileobj

    def copy_as_another_does(source: Any, target: Any, bytes_at_once: int) -> None:
        copy(source, target, bytes_at_once)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(shutil, "copyfileobj", copy)
            elsewhere.setattr(storage, "owner", lambda: "0badcafe-1-1", raising=False)
            assert storage.fetch(uri).read_bytes() == b"abc"

    monkeypatch.setattr(shutil, "copyfileobj", copy_as_another_does)
    assert storage.fetch(uri).read_bytes() == b"abc"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x.bin"]


def test_a_profile_alone_is_enough(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key, secret, region and endpoint from ~/.aws files, for byte streams and for pyarrow's own client."""
    for name in s3.environment:
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(f"[profile lab]\nregion = eu-west-3\nendpoint_url = {s3.endpoint}\n")
    (tmp_path / "credentials").write_text(f"[lab]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    pq.write_table(pa.table({"id": ["a"], "text": ["x"]}), s3.file("profile/x.parquet"))
    assert [document[1] for document in read(s3.uri("profile/x.parquet"))[0]] == ["a"]
    assert read(put(s3, "profile/x.jsonl", A + b"\n" + B)) == (DOCUMENTS, [])


def test_the_region_of_the_aws_tools_is_taken(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 alone knows AWS_DEFAULT_REGION only."""
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert client().meta.region_name == "eu-west-3"
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    assert client().meta.region_name == "eu-north-1"


def test_the_endpoint_of_the_service_wins(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    pq.write_table(pa.table({"id": ["a"], "text": ["x"]}), s3.file("service/x.parquet"))
    assert [document[1] for document in read(s3.uri("service/x.parquet"))[0]] == ["a"]
    assert read(put(s3, "service/x.jsonl", A + b"\n" + B)) == (DOCUMENTS, [])


def refusal(uri: str) -> str:
    with pytest.raises(StorageError) as failure:
        read(uri)
    return str(failure.value)


def test_keys_and_buckets_that_are_not_there(s3: S3Server) -> None:
    assert refusal(s3.uri("no.jsonl")) == "cannot read s3://bucket/no.jsonl: there is no such key (404)"
    assert refusal(s3.uri("no.parquet")) == "cannot read s3://bucket/no.parquet: there is no such key (404)"
    no_bucket = "there is no such bucket here; check its name, AWS_ENDPOINT_URL and AWS_REGION"
    assert refusal("s3://other/x.jsonl") == f"cannot read s3://other/x.jsonl: {no_bucket}"
    with pytest.raises(StorageError, match=no_bucket):
        list_shards(["s3://other/x"])
    with pytest.raises(StorageError, match=rf"^cannot write s3://other/x/y: {no_bucket}$"):
        Output("s3://other/x").put("y", b"")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_credentials_refused_missing_and_never_shown(s3: S3Server, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    uri = put(s3, f"secret/x{suffix}", A)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-but-private")
    refused = refusal(uri)
    assert refused.startswith(f"cannot read {uri}: S3 ")
    assert "credentials in use" in refused
    assert "wrong-but-private" not in refused
    assert KEY not in refused
    with Output(s3.uri("secret")).create("y") as pending, pytest.raises(StorageError, match="credentials in use") as failure:
        pending.publish()
    assert str(failure.value).startswith("cannot write s3://bucket/secret/y: S3 ")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert refusal(uri).endswith(
        "no usable AWS credentials found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )


def test_no_server_there(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "Could not connect to the endpoint" in refusal(s3.uri("x.jsonl"))


def test_a_full_scratch_disk_names_it(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(
        StorageError, match=r"^cannot write the scratch file .* for s3://bucket/o/x \(TMPDIR chooses its folder\): "
    ):
        Output(s3.uri("o")).create("x")
