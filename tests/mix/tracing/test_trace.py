"""What trace says of a small mix is what walking all of it says: every token of some windows, every document, every step."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.provenance import provenance_name
from dolmino_cli.mix.tracing.excerpt import load_pieces
from dolmino_cli.mix.tracing.find_text import prepare, search
from dolmino_cli.mix.tracing.opened import OpenMix, open_mix
from dolmino_cli.mix.tracing.places import TakenDocument, parse_at, token_place, window_documents, window_place
from dolmino_cli.mix.tracing.trace import Tracer, windows_in
from dolmino_cli.mix.tracing.trainer_order import Seen, TrainerOrder
from dolmino_cli.mix.windows import repeated_name
from tests.mix.traced import LENGTH, Row, load_tokenizer, rows_of, tokens_of

BATCH, WORLD, SEED = 12, 3, 5


@pytest.fixture(scope="module")
def folder(traced_mix: Path) -> Path:
    return traced_mix


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Row]:
    return rows_of(folder)


@pytest.fixture(scope="module")
def mix(folder: Path) -> OpenMix:
    return open_mix(str(folder / "mix"))


@pytest.fixture(scope="module")
def tracer(folder: Path, mix: OpenMix) -> Tracer:
    pieces, _ = load_pieces(mix.lock.tokenizer, str(folder / "tokenizer.json"))
    order = TrainerOrder(windows=windows_in(mix, LENGTH), seed=SEED, batch_sequences=BATCH, world_size=WORLD, epochs=2)
    roots = (f"web={folder}/filtered/web", str(folder / "filtered"))
    return Tracer(mix=mix, sequence_length=LENGTH, pieces=pieces, order=order, documents_roots=roots, context=20)


def plain(document: TakenDocument) -> tuple[object, ...]:
    return (document.part, document.start, document.end, document.source, document.id, document.src, document.loc)


def expected(row: Row) -> tuple[object, ...]:
    return (row.part, row.start, row.end, row.source, row.id, row.src, row.loc)


def windows_by_hand(folder: Path) -> list[tuple[str, int]]:
    """(part, first token) of every window: consecutive, none across parts, the tail of a part left out."""
    found = []
    for part, ids in tokens_of(folder).items():
        found += [(part, start) for start in range(0, len(ids) - LENGTH + 1, LENGTH)]
    return found


def order_by_hand(windows: int) -> dict[int, list[Seen]]:
    """OLMo: PCG64(seed + epoch) shuffles arange(n); global batch b is indices[b*G:(b+1)*G]; rank r takes r::world_size."""
    seen: dict[int, list[Seen]] = {window: [] for window in range(windows)}
    steps = windows // BATCH
    for epoch in range(2):
        indices = np.arange(windows, dtype=np.uint32)
        np.random.Generator(np.random.PCG64(SEED + epoch)).shuffle(indices)
        for step in range(steps):
            of_step = indices[step * BATCH : (step + 1) * BATCH].tolist()
            for rank in range(WORLD):
                for row, window in enumerate(of_step[rank::WORLD]):
                    seen[window].append(Seen(step=epoch * steps + step + 1, rank=rank, row=row, epoch=epoch))
    return seen


def test_the_mix_is_worth_tracing(folder: Path, rows: list[Row], mix: OpenMix) -> None:
    assert len(mix.parts) >= 4
    assert {row.source for row in rows} == {"web", "books"}
    assert any(row.end - row.start == 2 for row in rows)  # a token and the end-of-text token
    assert mix.lock.sources["web"].repeated_ids
    assert [len(ids) for ids in tokens_of(folder).values()] == [part.tokens for part in mix.parts]


def test_every_token_of_some_windows_and_every_document(folder: Path, rows: list[Row], tracer: Tracer) -> None:
    tokenizer, ids, windows = load_tokenizer(folder), tokens_of(folder), windows_by_hand(folder)
    seen = order_by_hand(len(windows))
    starts = dict(zip(ids, np.cumsum([0, *map(len, ids.values())])[:-1].tolist(), strict=True))
    alone = replace(tracer, documents_roots=())  # reading a record for every token takes seconds
    looked_at = {windows[number] for number in (0, 1, len(windows) // 2, len(windows) - 1)}
    for row in rows:
        offsets = [row.start, row.end - 1]
        offsets += [offset for offset in range(row.start, row.end) if (row.part, offset // LENGTH * LENGTH) in looked_at]
        for offset in offsets:
            traced = (tracer if offset == row.start else alone).token(starts[row.part] + offset)
            place = traced.place
            assert (place.part, place.offset, place.position) == (row.part, offset, offset - row.start)
            assert plain(place.document) == expected(row)
            assert traced.token_id == ids[row.part][offset]
            window = (row.part, offset // LENGTH * LENGTH)
            if place.window is None:
                assert window not in windows
            else:
                assert (place.window.part, place.window.start) == windows[place.window.number] == window
                assert list(traced.seen or ()) == seen[place.window.number]
            if traced.origin is None:
                continue
            assert (traced.origin.input_line, traced.origin.scores) == (row.input_line, {"characters": row.characters})
            assert traced.origin.input == f"{folder}/raw/{row.source}/{row.src.replace('.zst', '.gz')}"
        text = tracer.id(row.id).documents
        assert expected(row) in [plain(one.document) for one in text]
        assert tokenizer.encode(row.text.strip(), add_special_tokens=False).ids == ids[row.part][row.start : row.end - 1]


def test_an_excerpt_is_the_documents_text_around_the_token(folder: Path, rows: list[Row], tracer: Tracer) -> None:
    tokenizer, ids = load_tokenizer(folder), tokens_of(folder)
    starts = dict(zip(ids, np.cumsum([0, *map(len, ids.values())])[:-1].tolist(), strict=True))
    alone = replace(tracer, documents_roots=())
    for row in rows[:12]:
        text = row.text.strip() + "<|endoftext|>"
        places = [*tokenizer.encode(row.text.strip(), add_special_tokens=False).offsets, (len(text) - 13, len(text))]
        for offset, (first, last) in zip(range(row.start, row.end), places, strict=True):
            found = alone.token(starts[row.part] + offset).excerpt
            assert found is not None
            assert (found.before, found.token, found.after) == (
                text[max(0, first - 20) : first],
                text[first:last],
                text[last:][:20],
            )
            assert (found.cut_before, found.cut_after) == (first > 20, len(text) - last > 20)


def test_every_window_holds_what_the_rows_say(folder: Path, rows: list[Row], mix: OpenMix, tracer: Tracer) -> None:
    for number, (part, start) in enumerate(windows_by_hand(folder)):
        inside = [row for row in rows if row.part == part and row.start < start + LENGTH and row.end > start]
        shares = window_documents(mix, number, sequence_length=LENGTH)
        assert [plain(share.document) for share in shares] == [expected(row) for row in inside]
        assert [(share.start, share.end) for share in shares] == [
            (max(row.start, start), min(row.end, start + LENGTH)) for row in inside
        ]
    traced = tracer.window(3)
    assert "".join(share.text or "" for share in traced.documents)
    assert sum(share.tokens for share in traced.documents) == LENGTH


def test_every_step_by_rank_and_row_and_as_a_whole(folder: Path, rows: list[Row], mix: OpenMix, tracer: Tracer) -> None:
    order, windows = tracer.order, windows_by_hand(folder)
    assert order is not None
    by_place = {one: window for window, times in order_by_hand(len(windows)).items() for one in times}
    for seen, window in by_place.items():
        assert order.windows_of_step(seen.step, rank=seen.rank, row=seen.row).tolist() == [window]
    for step in (1, order.steps_per_epoch, 2 * order.steps_per_epoch):
        traced = tracer.step(step, rank=None)
        of_step = [window for seen, window in by_place.items() if seen.step == step]
        assert sorted(traced.windows) == sorted(of_step)
        tokens, documents = dict.fromkeys(mix.sources, 0), dict.fromkeys(mix.sources, 0)
        for part, start in (windows[window] for window in of_step):
            for row in rows:
                share = min(row.end, start + LENGTH) - max(row.start, start) if row.part == part else 0
                tokens[row.source] += max(0, share)
                documents[row.source] += share > 0
        assert [(one.tokens, one.documents) for one in traced.sources] == list(
            zip(tokens.values(), documents.values(), strict=True)
        )
    assert sum(len(order.windows_of_step(1, rank=rank)) for rank in range(WORLD)) == BATCH


def test_an_id_is_found_wherever_it_is_and_only_there(rows: list[Row], mix: OpenMix, tracer: Tracer) -> None:
    for id in {row.id for row in rows}:
        found = [plain(one.document) for one in tracer.id(id).documents]
        assert sorted(found) == sorted(expected(row) for row in rows if row.id == id)
    assert len(tracer.id("twice").documents) == 8 + sum(one.document.copy == 2 for one in tracer.id("twice").documents)
    left_out = [f"books0/{n}" for n in range(40) if n not in (2, 11) and f"books0/{n}" not in {row.id for row in rows}]
    assert left_out
    for id in left_out:
        absent = tracer.id(id).absent
        assert absent["books"].startswith("not taken, if the source has it: its selection hash lies at ")
        assert absent["web"].startswith("not in the source")
    copies = {one.document.copy for one in tracer.id("web0/7").documents}
    assert {0, 1} <= copies


def test_windows_of_a_document_are_those_that_hold_it(folder: Path, rows: list[Row], tracer: Tracer) -> None:
    windows = windows_by_hand(folder)
    seen = order_by_hand(len(windows))
    for row in rows[:60]:
        found = next(one for one in tracer.id(row.id).documents if plain(one.document) == expected(row))
        wanted = [
            n for n, (part, start) in enumerate(windows) if part == row.part and start < row.end and start + LENGTH > row.start
        ]
        assert list(found.windows) == wanted
        assert [list(times) for times in found.seen or ()] == [seen[window] for window in wanted]


def test_a_text_is_found_wherever_tokens_spell_it(folder: Path, rows: list[Row], mix: OpenMix, tracer: Tracer) -> None:
    rng = np.random.default_rng(11)
    queries = ["a", "ab", "日", "🎉", "e\u0301", "\n", "<|endoftext|>", "the", " lazy dog, and", "no such text at all"]
    # No match goes over the end of a document, not even with the text of the token between.
    queries.append(rows[0].text.strip()[-2:] + "<|endoftext|>" + rows[1].text.strip()[:2])
    for row in rng.choice(len(rows), 40).tolist():
        text = rows[row].text.strip()
        start = int(rng.integers(0, len(text)))
        queries.append(text[start : start + int(rng.integers(1, 60))])
    names = [part.name for part in mix.parts]
    tokenizer = load_tokenizer(folder)
    for query in queries:
        wanted = []
        for row in rows:
            text, at = row.text.strip().encode(), -1
            ends = np.cumsum(
                [len(tracer.pieces.of(one)) for one in tokenizer.encode(text.decode(), add_special_tokens=False).ids]
            )  # type: ignore[union-attr]
            while (at := text.find(query.encode(), at + 1)) >= 0:
                token = int(np.searchsorted(ends, at, side="right"))
                wanted.append((names.index(row.part), row.start + token, at - (int(ends[token - 1]) if token else 0)))
        assert tracer.pieces is not None
        *_, found = search(mix, prepare(mix, query, tracer.pieces), limit=10**6, workers=1)
        assert [(one.part, one.offset, one.byte) for one in found.matches] == sorted(wanted), query
        assert found.times == len(wanted)
        for match in found.matches[:5]:
            excerpt = tracer.match(match, query).excerpt
            assert excerpt is not None and query in excerpt.token


def test_a_search_ends_at_its_limit_the_same_for_any_workers(mix: OpenMix, tracer: Tracer) -> None:
    assert tracer.pieces is not None
    wanted = prepare(mix, "dog", tracer.pieces)
    *_, all_of_them = search(mix, wanted, limit=10**6, workers=1)
    *_, first = search(mix, wanted, limit=3, workers=1)
    assert first.matches == all_of_them.matches[:3]
    assert first.parts < len(mix.parts)
    *_, two = search(mix, wanted, limit=3, workers=2)
    assert two.matches == first.matches


def test_requests_that_fit_no_mix_are_refused(folder: Path, mix: OpenMix) -> None:
    first = mix.parts[0]
    with pytest.raises(ConfigError, match=r"the mix has no part-00999.npy; its parts are part-0"):
        parse_at(mix, "part-00999:3")
    with pytest.raises(ConfigError, match=f"{first.name} has {first.tokens:,} tokens; give an offset from 0 to one less"):
        parse_at(mix, f"{first.name}:{first.tokens}")
    assert parse_at(mix, f"part-0:{first.tokens - 1}") == first.tokens - 1
    for place in ("12", "part-0:" + "9" * 5000, "part-" + "9" * 5000 + ":0"):
        with pytest.raises(ConfigError, match="give a part and an offset"):
            parse_at(mix, place)
    for token in (-1, mix.tokens):
        with pytest.raises(ConfigError, match="is not in the mix, which has"):
            token_place(mix, token, sequence_length=LENGTH)
    windows = windows_in(mix, LENGTH)
    with pytest.raises(ConfigError, match=f"window {windows:,} is not in the mix"):
        window_documents(mix, windows, sequence_length=LENGTH)
    order = TrainerOrder(windows=100, seed=1, batch_sequences=8, world_size=4)
    for given, problem in (
        ({"step": 13}, "step 13 is not in the run, whose steps are 1 to 12"),
        ({"step": 0}, "step 0 is not in the run"),
        ({"step": 1, "rank": 4}, "rank 4 is not in a step of 4 ranks; give 0 to 3"),
        ({"step": 1, "rank": 0, "row": 2}, "row 2 is not in a step of 2 rows"),
    ):
        with pytest.raises(ConfigError, match=problem):
            order.windows_of_step(**given)
    for options, problem in (
        ({"batch_sequences": 10, "world_size": 4}, "cannot be dealt out evenly to 4 ranks"),
        ({"batch_sequences": 101}, "more than the mix has"),
        ({"batch_sequences": 0}, "batch_sequences is 0"),
    ):
        with pytest.raises(ConfigError, match=problem):
            TrainerOrder(windows=100, seed=1, **options)


def test_what_is_no_finished_mix_is_refused(folder: Path, mix: OpenMix, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no MIX.lock.json"):
        open_mix(str(tmp_path))
    lock = (folder / "mix" / "traced.lock.json").read_text()
    (tmp_path / "traced.lock.json").write_text(lock.replace('"version": 2', '"version": 1'))
    with pytest.raises(DataError, match=r"version 1"):
        open_mix(str(tmp_path))
    (tmp_path / "traced.lock.json").write_text(lock)
    with pytest.raises(DataError, match=r"part-00000\.documents\.arrow"):
        token_place(open_mix(str(tmp_path)), 0, sequence_length=LENGTH)
    for part in mix.parts[:1]:
        for name in part.file_names:
            (tmp_path / name).write_bytes((folder / "mix" / name).read_bytes())
        (tmp_path / part.name).write_bytes((folder / "mix" / part.name).read_bytes()[:-2])
        (tmp_path / repeated_name(part.name)).write_bytes(b"")
    cut = open_mix(str(tmp_path))
    with pytest.raises(DataError, match=r"part-00000.npy: has [\d,]+ bytes, the lock says"):
        cut.token_ids(0, 0, 1)
    with pytest.raises(DataError, match=r"part-00000.repeated.bin: has 0 bytes for"):
        cut.repeated(0)
    for name in (repeated_name(mix.parts[0].name), provenance_name(mix.parts[0].name)):
        whole = (folder / "mix" / name).read_bytes()
        (tmp_path / name).write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        with pytest.raises(DataError, match=rf"{name}: was changed after it was written"):
            window_place(cut, 0, sequence_length=LENGTH)
            token_place(open_mix(str(tmp_path)), 0, sequence_length=LENGTH)
        (tmp_path / name).write_bytes(whole)
    (tmp_path / "traced.lock.json").write_text(json.dumps({**json.loads(lock), "outputs": None}))
    with pytest.raises(ConfigError, match="was locked before anything was sampled"):
        open_mix(str(tmp_path))
    (tmp_path / "traced.lock.json").write_text(lock)
    (tmp_path / "sample.unfinished").touch()
    with pytest.raises(ConfigError, match="unfinished"):
        open_mix(str(tmp_path))


def test_another_tokenizer_or_other_documents_are_refused(folder: Path, tracer: Tracer, mix: OpenMix, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes() + b"\n")
    with pytest.raises(ConfigError, match="its ids mean something else"):
        load_pieces(mix.lock.tokenizer, str(tmp_path / "tokenizer.json"))
    assert load_pieces(mix.lock.tokenizer, None)[0] is None
    other = Tracer(mix=mix, sequence_length=LENGTH, documents_roots=(f"web={folder}/filtered/books",))
    web = next(place for place in range(0, mix.tokens, 7) if tracer.token(place).place.document.source == "web")
    with pytest.raises((DataError, ConfigError), match="give the folder that was tokenized"):
        other.token(web)


def test_without_a_path_the_tokenizer_is_looked_for_here_and_never_downloaded(
    folder: Path, mix: OpenMix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert load_pieces(mix.lock.tokenizer, None)[0] is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dolmino_cli.mix.tracing.excerpt.resolve", lambda *_, **__: pytest.fail("asked for a tokenizer"))
    for name in ("tokenizer.json", "nobody/no-such-tokenizer", "not/a/repository"):
        pieces, why_not = load_pieces(replace(mix.lock.tokenizer, name=name), None)
        assert (pieces, "is not on this machine" in why_not) == (None, True)
