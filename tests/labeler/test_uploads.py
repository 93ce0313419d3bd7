"""Uploads: harmless names, unpacked, never larger than allowed."""

from __future__ import annotations

import gzip
import io
import tempfile
from pathlib import Path

import pytest

from labeler.errors import DataError
from labeler.uploads import keep, safe_name


def test_a_packed_file_is_unpacked_under_its_name(tmp_path: Path):
    path = keep("my pairs.jsonl.GZ", io.BytesIO(gzip.compress(b'{"id": 1}\n')), tmp_path / "files")
    assert (path.name, path.read_bytes()) == ("my-pairs.jsonl", b'{"id": 1}\n')
    path = keep("plain.csv", io.BytesIO(b"a,b\n"), tmp_path / "files")
    assert path.read_bytes() == b"a,b\n"


def test_a_form_keeps_a_small_file_in_memory_and_it_is_read_from_there(tmp_path: Path):
    with tempfile.SpooledTemporaryFile() as stream:  # what Starlette hands over; it says that it may be written to
        stream.write(gzip.compress(b"a,b\n"))
        stream.seek(0)
        assert keep("x.csv.gz", stream, tmp_path).read_bytes() == b"a,b\n"


def test_what_unpacks_to_too_much_is_refused_before_it_is_on_disk(tmp_path: Path):
    bomb = gzip.compress(bytes(64 * 1024**2))
    assert len(bomb) < 100_000
    with pytest.raises(DataError, match=r"bomb\.jsonl\.gz: is larger than 8 MiB once unpacked"):
        keep("bomb.jsonl.gz", io.BytesIO(bomb), tmp_path / "files", most=8 * 1024**2)
    assert list((tmp_path / "files").iterdir()) == []
    with pytest.raises(DataError, match="is larger than 1 MiB"):
        keep("large.csv", io.BytesIO(bytes(1024**2 + 1)), tmp_path / "files", most=1024**2)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"x" * 9999)[:-9]], ids=["other", "cut off"])
def test_a_damaged_packed_file_is_refused(tmp_path: Path, content: bytes):
    with pytest.raises(DataError, match="is no sound gzip file, or cut off"):
        keep("x.jsonl.gz", io.BytesIO(content), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.exe", "x", "x.parquet.gz", ".jsonl.zip", "x.jsonl.gz.sh"])
def test_other_files_are_refused(tmp_path: Path, name: str):
    with pytest.raises(DataError, match="must be named"):
        keep(name, io.BytesIO(b"x"), tmp_path)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\Users\\me\\a b.JSON", "a-b.json"),
        ("-rf.csv", "rf.csv"),
        (".csv", "file.csv"),
        ("fragen & antworten (1).jsonl", "fragen-antworten-1-.jsonl"),
        ("x" * 300 + ".tsv", "x" * 80 + ".tsv"),
        ("a\0b\n.csv", "a-b-.csv"),
    ],
)
def test_names_are_harmless(name: str, safe: str):
    assert safe_name(name) == safe
