"""Opens the operator's door on a daemon: one `Commands` object, and the local socket in front of it."""

from __future__ import annotations

from pathlib import Path

from trading_system.wiring.commands import Commands
from trading_system.wiring.control_protocol import SOCKET_FILE
from trading_system.wiring.control_socket import ControlSocket
from trading_system.wiring.daemon import Daemon
from trading_system.wiring.status_report import About


def open_control(daemon: Daemon, data_dir: Path, about: About) -> Commands:
    """Serve `data_dir/control.sock` from now on, under supervision; the same commands may be given to other doors."""
    commands, supervisor, live = Commands(daemon, about), daemon.supervisor, daemon.live
    door = ControlSocket(data_dir / SOCKET_FILE, commands.answer, supervisor.detach, live.clock, live.log)
    supervisor.start("control socket", door.serve)
    return commands
