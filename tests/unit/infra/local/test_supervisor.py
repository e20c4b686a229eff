"""A program's file says exactly what was asked, whatever characters its command holds."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from supervisor.options import ServerOptions, UnhosedConfigParser

from infra.local.supervisor import Program

PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85\xa0")
TEXT = st.text(PRINTABLE, min_size=1, max_size=30)


def understood(program: Program, tmp: Path) -> list[str]:
    """The command as supervisor itself understands the file."""
    file = tmp / "program.conf"
    file.write_text(program.configuration(Path("/tmp/log")))
    parser = UnhosedConfigParser()
    parser.expansions = {}
    parser.read([str(file)])
    (config,) = ServerOptions().processes_from_section(parser, f"program:{program.name}", program.name)
    return shlex.split(config.command)


@settings(max_examples=30, deadline=None)
@given(words=st.lists(TEXT, min_size=1, max_size=4))
def test_a_command_survives_quoting(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    program = Program(name="part", command=["/bin/echo", *words], directory=Path("/tmp"))
    assert understood(program, tmp_path_factory.mktemp("conf")) == ["/bin/echo", *words]


def test_a_line_break_is_refused_and_not_smuggled_into_the_file() -> None:
    program = Program(name="part", command=["/bin/true", "a\nuser=root"], directory=Path("/tmp"))
    with pytest.raises(ValueError, match="line break"):
        program.configuration(Path("/tmp/log"))
