from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainer.errors import SocketTableError, WireError
from drainer.sockets import wire
from tests.unit.sockets.wire_reference import (
    CAPTURES,
    DONE,
    ERROR,
    Row,
    captured,
    datagram,
    decode,
    encode,
    message,
)

Seen = tuple[int, int, int, int]


def columns(runs: Iterable[wire.Run]) -> list[Seen]:
    """(port, state, cookie, unsent) of each row, read column by column."""
    return [row for run in runs for row in zip(run.ports, run.states, run.ids, run.unsent, strict=True)]


def expected(rows: Iterable[Row]) -> list[Seen]:
    return [(row.port, row.state, row.cookie, row.unsent) for row in rows]


def quiet(runs: Iterable[wire.Run]) -> list[float]:
    return [value for run in runs for value in run.quiet]


# ------------------------------------------------------------------------------------------ captured replies


@pytest.mark.parametrize("name", ["uniform", "info", "mixed"])
def test_captured_rows_are_what_the_sockets_said_of_themselves(name: str) -> None:
    rows, ends = zip(*map(wire.parse, captured(name)), strict=True)
    seen = {(port, state, cookie) for runs in rows for port, state, cookie, _ in columns(runs)}
    assert seen == {(row["port"], row["state"], row["cookie"]) for row in CAPTURES[name]["rows"]}
    assert ends == (*[False] * (len(ends) - 1), True)


@pytest.mark.parametrize("name", ["uniform", "info", "mixed", "unsent"])
def test_captured_columns_agree_with_the_plain_decoder(name: str) -> None:
    for data in captured(name):
        assert columns(wire.parse(data)[0]) == expected(decode(bytes(data)))


def test_a_uniform_datagram_is_one_run_and_a_mixed_one_is_several() -> None:
    assert [len(run) for run in wire.parse(captured("uniform")[0])[0]] == [5]
    runs = wire.parse(captured("mixed")[0])[0]
    assert len(runs) > 1
    assert sum(map(len, runs)) == len(CAPTURES["mixed"]["rows"])


def test_captured_tcp_info_tells_the_talker_from_the_quiet() -> None:
    capture = CAPTURES["info"]
    (run,) = wire.parse(captured("info")[0])[0]
    silence = dict(zip(run.ids, run.quiet, strict=True))
    assert silence.pop(capture["talker"]) < capture["quiet_at_least"]
    assert len(silence) == 4
    for seconds in silence.values():
        assert capture["quiet_at_least"] - 0.02 <= seconds <= capture["quiet_at_most"]


def test_captured_unsent_bytes_are_those_of_the_one_sender_with_a_full_window() -> None:
    (run,) = wire.parse(captured("unsent")[0])[0]
    unsent = dict(zip(run.ids, run.unsent, strict=True))
    assert unsent.pop(CAPTURES["unsent"]["sender"]) > 1
    assert set(unsent.values()) == {0}


def test_captured_notification_names_port_and_cookie_of_the_socket_that_is_gone() -> None:
    (row,) = CAPTURES["destroyed"]["rows"]
    assert wire.destroyed(captured("destroyed")[0]) == [(row["port"], row["cookie"])]


@pytest.mark.parametrize("name", ["error", "done_with_errno"])
def test_captured_errors_of_the_kernel_raise_with_their_errno(name: str) -> None:
    (data,) = captured(name)
    with pytest.raises(SocketTableError) as raised:
        wire.parse(data)
    assert raised.value.errno == CAPTURES[name]["errno"]
    assert not isinstance(raised.value, WireError)
    assert str(raised.value) == f"sock_diag dump: the kernel answers errno {CAPTURES[name]['errno']}"


# ------------------------------------------------------------------------------------------------ bad input


def parsed_or_refused(data: memoryview) -> Sequence[Seen] | None:
    """What `parse` makes of `data`, or None for a WireError; any other exception goes through."""
    try:
        return columns(wire.parse(data)[0])
    except WireError:
        return None


@pytest.mark.parametrize("name", ["uniform", "info", "mixed", "destroyed", "error", "done_with_errno"])
def test_a_reply_truncated_at_any_byte_gives_whole_rows_or_a_wire_error(name: str) -> None:
    for data in captured(name):
        whole = expected(decode(bytes(data)))
        answers = [parsed_or_refused(data[:length]) for length in range(len(data))]
        for answer in answers:
            assert answer is None or answer == whole[: len(answer)]
        assert answers[0] is None
        # Cut between two rows nothing shows the loss; that is all that can pass.
        assert sum(answer is not None for answer in answers) == max(0, len(whole) - 1)


def test_a_truncated_notification_gives_whole_ones_or_a_wire_error() -> None:
    data = memoryview(bytes(captured("destroyed")[0]) * 2)
    (row,) = CAPTURES["destroyed"]["rows"]
    one, half = (row["port"], row["cookie"]), len(data) // 2
    for length in range(len(data)):
        if length in (0, half):
            assert wire.destroyed(data[:length]) == [one] * (length // half)
        else:
            with pytest.raises(WireError):
                wire.destroyed(data[:length])


@given(st.binary(max_size=400))
def test_noise_is_rows_or_an_error_of_the_socket_table_and_nothing_else(noise: bytes) -> None:
    data = memoryview(noise)
    with suppress(SocketTableError):
        assert len(columns(wire.parse(data)[0])) * 88 <= len(noise)
    with suppress(SocketTableError):
        assert len(wire.destroyed(data)) * 88 <= len(noise)


@given(st.data())
def test_one_flipped_byte_never_raises_anything_but_an_error_of_the_socket_table(data: st.DataObject) -> None:
    damaged = bytearray(captured(data.draw(st.sampled_from(["uniform", "mixed", "info"])))[0])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(SocketTableError):
        runs, _ = wire.parse(memoryview(damaged))
        assert len(columns(runs)) * 88 <= len(damaged)
        assert len(quiet(runs)) == len(columns(runs))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "0 bytes where a message should begin"),
        (b"\0" * 15, "15 bytes where a message should begin"),
        (b"\0" * 16, "a message of 0 bytes in 16"),
        (struct.pack("=IHHII", 17, 18, 0, 0, 0), "a message of 17 bytes in 16"),
        (message(18, bytes(68)), "a row of 84 bytes"),
        (message(18, bytes(73)), "a row of 89 bytes"),
        (message(1, bytes(72)), "a message of type 1"),
        (message(ERROR, struct.pack("=i", 0)), "an acknowledgement that was not asked for"),
        (message(ERROR, b""), "an acknowledgement that was not asked for"),
    ],
)
def test_what_is_not_sock_diag_raises_and_says_what_it_is(data: bytes, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint) as raised:
        wire.parse(memoryview(data))
    assert raised.value.errno is None


@pytest.mark.parametrize("payload", [b"", struct.pack("=i", 0), struct.pack("=i", 7)])
def test_a_dump_that_is_done_without_an_error_ends_with_the_rows_before_it(payload: bytes) -> None:
    rows = [Row(cookie=1), Row(cookie=2)]
    runs, done = wire.parse(memoryview(bytes(datagram(rows)) + message(DONE, payload)))
    assert done
    assert columns(runs) == expected(rows)


def test_a_dump_that_ends_in_an_error_gives_no_rows_at_all() -> None:
    with pytest.raises(SocketTableError) as raised:
        wire.parse(memoryview(encode(Row()) + message(DONE, struct.pack("=i", -12))))
    assert raised.value.errno == 12


# ---------------------------------------------------------------------------------------- rows of all lengths


@pytest.mark.parametrize(("filler", "divides_by_eight"), [(b"", True), (b"four", True), (b"eight by", False)])
@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_cookies_are_read_whether_a_row_is_a_multiple_of_eight_or_of_four(
    filler: bytes, *, divides_by_eight: bool, number: int
) -> None:
    rows = [Row(cookie=1 << 63 | index, filler=filler, port=index + 1) for index in range(number)]
    assert (len(encode(rows[0])) % 8 == 0) is divides_by_eight
    assert columns(wire.parse(datagram(rows))[0]) == expected(rows)


def test_rows_of_the_newer_request_type_are_rows_too() -> None:
    rows = [Row(cookie=1, kind=20), Row(cookie=2)]
    assert columns(wire.parse(datagram(rows))[0]) == expected(rows)


def test_states_that_nobody_knows_are_passed_on_as_they_are() -> None:
    rows = [Row(state=state, cookie=state) for state in (0, 13, 255)]
    assert columns(wire.parse(datagram(rows))[0]) == expected(rows)


def test_only_port_is_the_port_if_all_rows_share_it() -> None:
    shared = wire.parse(datagram([Row(port=443), Row(port=443)]))[0]
    mixed = wire.parse(datagram([Row(port=443), Row(port=442)]))[0]
    assert [run.only_port for run in shared] == [443]
    assert [run.only_port for run in mixed] == [None]


def test_tcp_info_is_found_wherever_it_stands_in_rows_of_one_length() -> None:
    rows = [
        Row(cookie=1, sent_ms=1500, received_ms=90_000, filler=b"12345678", info_size=60),
        Row(cookie=2, sent_ms=7000, received_ms=2500, info_size=72),
        Row(cookie=3, sent_ms=40, received_ms=40, filler=b"1234", info_size=64),
    ]
    (run,) = wire.parse(datagram(rows))[0]
    assert run.quiet == [1.5, 2.5, 0.04]


@pytest.mark.parametrize("claimed", [None, 56, 240])
def test_a_row_without_whole_tcp_info_raises_where_it_was_asked_for(claimed: int | None) -> None:
    attribute = b"" if claimed is None else struct.pack("=HH", claimed, 2) + bytes(52)
    row = message(18, encode(Row())[16:] + attribute)
    with pytest.raises(WireError, match="a row without tcp_info"):
        quiet(wire.parse(memoryview(row * 2))[0])


ROWS = st.builds(
    Row,
    port=st.integers(0, 65535),
    state=st.integers(0, 255),
    cookie=st.integers(0, 2**64 - 1),
    unsent=st.integers(0, 2**32 - 1),
    sent_ms=st.integers(0, 2**32 - 1),
    received_ms=st.integers(0, 2**32 - 1),
    info_size=st.sampled_from([56, 60, 232, 240, 248]),
    filler=st.sampled_from([b"", b"1", b"1234", b"12345", b"12345678", b"x" * 12]),
    kind=st.sampled_from([18, 18, 18, 20]),
)


@settings(max_examples=150)
@given(rows=st.lists(ROWS, min_size=1, max_size=12), done=st.booleans())
def test_columns_give_back_every_row_that_was_written(rows: list[Row], *, done: bool) -> None:
    data = bytes(datagram(rows)) + (message(DONE, bytes(4)) if done else b"")
    runs, ended = wire.parse(memoryview(data))
    assert ended is done
    assert columns(runs) == expected(rows) == expected(decode(data))
    assert quiet(runs) == [row.quiet for row in rows] == [row.quiet for row in decode(data)]


@given(st.lists(ROWS, max_size=8))
def test_notifications_give_back_every_port_and_cookie(rows: list[Row]) -> None:
    assert wire.destroyed(datagram(rows)) == [(row.port, row.cookie) for row in rows]


# ------------------------------------------------------------------------------------------------ the request


def test_the_request_is_one_old_style_dump_of_both_families_with_filter_and_states() -> None:
    request = wire.dump_request(1 << 1 | 1 << 10, b"\1\2\3\4", wire.INFO_EXTENSION)
    length, kind, flags, _, _ = struct.unpack_from("=IHHII", request)
    assert (length, kind, flags) == (len(request), 18, 0x301)
    family, src_len, dst_len, extensions = struct.unpack_from("=BBBB", request, 16)
    assert (family, src_len, dst_len, extensions) == (0, 0, 0, 2)
    assert struct.unpack_from("=I", request, 68) == (0x402,)
    assert request[76:] == struct.pack("=HH", 8, 1) + b"\1\2\3\4"
