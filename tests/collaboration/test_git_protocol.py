"""What one end writes the other reads, and what nobody writes is refused."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.collaboration.git_protocol import (
    FLUSH,
    PushReport,
    RefCommand,
    packet,
    read_commands,
    read_packet,
    read_report,
    write_commands,
    write_report,
)
from cooperbench.errors import RemoteError

object_ids = st.text("0123456789abcdef", min_size=40, max_size=40)
# Any name that git accepts, in bytes that need not be UTF-8.
refs = st.binary(min_size=1, max_size=80).map(
    lambda raw: "refs/heads/" + bytes(byte for byte in raw if byte > 32).decode(errors="surrogateescape") + "x"
)
reasons = (
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=200).map(str.strip).filter(bool)
)
commands = st.lists(st.builds(RefCommand, object_ids, object_ids, refs), min_size=1, max_size=20)


@given(commands, st.lists(st.sampled_from(["atomic", "quiet", "report-status"])), st.binary(max_size=200))
def test_the_commands_of_a_push(sent: list[RefCommand], abilities: list[str], pack: bytes) -> None:
    stream = BytesIO(write_commands(sent, abilities) + pack)
    assert read_commands(stream) == (sent, abilities, [])
    assert stream.read() == pack


@given(st.dictionaries(refs, st.none() | reasons, min_size=1), st.binary(max_size=200_000))
def test_the_report_on_a_push(results: dict[str, str | None], messages: bytes) -> None:
    report = PushReport(results, messages)
    assert read_report(BytesIO(write_report(report))) == report


@given(st.binary(max_size=400))
def test_rubbish_is_refused_and_nothing_else_happens(rubbish: bytes) -> None:
    for data in (rubbish, packet(rubbish), packet(rubbish) + FLUSH):
        for read in (read_commands, read_report):
            try:
                read(BytesIO(data))
            except RemoteError:
                continue


@pytest.mark.parametrize("data", [b"", b"00", b"0009abc", b"zzzz", b"-001", b"0005"])
def test_a_broken_packet(data: bytes) -> None:
    with pytest.raises(RemoteError, match="broke off"):
        read_packet(BytesIO(data))
