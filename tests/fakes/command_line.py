"""Runs `run.py` as a user would: a real process, an empty working directory, an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUN_PY = Path(__file__).parents[2] / "run.py"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def err_lines(self) -> list[str]:
        return self.err.splitlines()


@dataclass(frozen=True)
class CommandLine:
    """`folder` is the working directory of every call."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, timeout_s: float = 30.0, stdout: Any = subprocess.PIPE) -> Answer:
        done = subprocess.run(
            self._command(words), stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, timeout=timeout_s, **self._place()
        )
        return Answer(done.returncode, done.stdout or "", done.stderr)

    def without_stdout(self, *words: str) -> Answer:
        """As after `>&-` in a shell: there is no file descriptor 1 at all."""
        shell = ["sh", "-c", 'exec "$@" >&-', "sh", *self._command(words)]
        done = subprocess.run(shell, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=30, **self._place())
        return Answer(done.returncode, "", done.stderr)

    def modules_loaded_by(self, *words: str) -> set[str]:
        """Every module that the process imports on its way, from the interpreter's own list (`-X importtime`)."""
        command = [sys.executable, "-X", "importtime", *self._command(words)[1:]]
        done = subprocess.run(command, capture_output=True, timeout=30, **self._place())
        return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}

    def files(self) -> list[str]:
        """Everything that lies in the working directory."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    def _command(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, str(RUN_PY), *words]

    def _place(self) -> dict[str, Any]:
        bare = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return {"cwd": self.folder, "env": bare | self.environment, "text": True}
