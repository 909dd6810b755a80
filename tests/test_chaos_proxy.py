"""The proxy does what it says, and with a share of nothing is as if it were not there."""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import suppress
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dolmino_cli.shards.s3_client import client
from tests.chaos_proxy import FAULTS, ChaosProxy
from tests.s3_server import S3Server


def test_without_faults_it_is_transparent(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.uri()
    with ChaosProxy(s3.endpoint, share=0) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        content = bytes(range(256)) * 9000
        client().put_object(Bucket="bucket", Key="proxy/a b", Body=content)
        assert s3.file("proxy/a b").read_bytes() == content
        assert client().get_object(Bucket="bucket", Key="proxy/a b", Range="bytes=5-9")["Body"].read() == content[5:10]
        assert client().head_object(Bucket="bucket", Key="proxy/a b")["ContentLength"] == len(content)
        client().delete_object(Bucket="bucket", Key="proxy/a b")
        assert not s3.file("proxy/a b").exists()
    assert proxy.counts == Counter(requests=4)


def test_the_same_seed_gives_the_same_fates() -> None:
    requests = [f"GET /bucket/{i % 500} " for i in range(2000)]

    def fates(seed: int) -> list[str | None]:
        with ChaosProxy("http://127.0.0.1:9", seed=seed, share=0.2) as proxy:
            return [proxy.fate(request)[0] for request in requests]

    assert fates(1) == fates(1) != fates(2)
    counts = Counter(fates(1))
    assert 0.17 < 1 - counts[None] / len(requests) < 0.23
    assert all(30 < counts[fault] < 90 for fault in FAULTS)


def outcome(s3: S3Server, fault: str, operation: str, **given: object) -> tuple[str, bool]:
    """What a client that tries once sees of one request for `proxy/x`, and whether the store has the object afterwards."""
    with ChaosProxy(s3.endpoint, share=1, faults=[fault], delay_seconds=0.01) as proxy:
        once = Config(retries={"total_max_attempts": 1})
        direct = boto3.client("s3", endpoint_url=proxy.endpoint, config=once)
        try:
            answer = getattr(direct, operation)(Bucket="bucket", Key="proxy/x", **given)
            seen = str(answer["Body"].read()) if "Body" in answer else "answered"
        except (BotoCoreError, ClientError) as error:
            seen = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        return seen, s3.file("proxy/x").exists()


def test_each_fault(s3: S3Server) -> None:
    s3.uri()
    assert outcome(s3, "reset", "put_object", Body=b"12345678") == ("ConnectionClosedError", False)
    assert outcome(s3, "slow_down", "put_object", Body=b"12345678") == ("SlowDown", False)
    assert outcome(s3, "lost_answer", "put_object", Body=b"12345678") == ("ConnectionClosedError", True)
    assert outcome(s3, "delay", "get_object") == ("b'12345678'", True)
    assert outcome(s3, "truncate", "get_object") == ("ResponseStreamingError", True)
    assert outcome(s3, "internal_error", "get_object") == ("InternalError", True)
    assert outcome(s3, "unavailable", "get_object") == ("ServiceUnavailable", True)
    assert outcome(s3, "lost_answer", "delete_object") == ("ConnectionClosedError", False)


def test_an_upload_whose_sender_is_killed_is_none(s3: S3Server) -> None:
    s3.uri()
    with ChaosProxy(s3.endpoint, share=0) as proxy:
        store = boto3.client("s3", endpoint_url=proxy.endpoint, config=Config(signature_version="s3v4"))
        url = urlsplit(store.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "proxy/half"}))
        for body in (b"1234", b"12345678"):
            with socket.create_connection((url.hostname, url.port)) as sender:
                head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 8\r\n\r\n"
                sender.sendall(head.encode() + body)
                sender.shutdown(socket.SHUT_WR)
                with suppress(ConnectionResetError):
                    sender.recv(1000)
            assert s3.file("proxy/half").exists() == (len(body) == 8)
