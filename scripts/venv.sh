#!/usr/bin/env bash
# Makes .venv and installs what is locked, with hashes. Does nothing when that is already there.
#   scripts/venv.sh runtime | dev        (PYTHON=/path/to/python3.11 chooses the interpreter)
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-runtime}
case $kind in
    runtime) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;; # a superset of the runtime
    *) echo "usage: scripts/venv.sh runtime|dev" >&2; exit 2 ;;
esac
venv=$PWD/.venv
say() { echo "venv: $*"; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.12 python3.11 python3.13 python3; do
        if "$candidate" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "venv: needs Python 3.11, 3.12 or 3.13 (with its venv module); set PYTHON=/path/to/python3.11" >&2
    return 1
}

# a moved checkout has a venv whose scripts point to the old place
if ! "$venv/bin/python" -c "import sys; sys.exit(sys.prefix != '$venv')" 2>/dev/null; then
    python=$(find_python)
    say "creating .venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
python=$venv/bin/python

fingerprint() { { cat "$1"; "$python" --version; } | sha256sum | cut -c1-64; }
stamp() { echo "$venv/.installed-$1"; }

if [ "$(cat "$(stamp "$kind")" 2>/dev/null)" != "$(fingerprint "$lock")" ]; then
    say "installing $(grep -c '==' "$lock") locked packages ($kind), about a minute ..."
    start=$SECONDS
    # uv is quicker where it is found, but it does not read pip.conf: fall back to pip
    if ! { command -v uv >/dev/null && uv pip install -q --compile-bytecode --python "$python" --require-hashes -r "$lock" 2>/dev/null; }; then
        "$python" -m pip install -qq --disable-pip-version-check --no-input --require-hashes -r "$lock"
    fi
    fingerprint "$lock" >"$(stamp "$kind")"
    if [ "$kind" = dev ]; then fingerprint requirements.lock >"$(stamp runtime)"; fi
    say "installed in $((SECONDS - start)) s"
fi

# The package itself: a path entry and its script. No build backend is fetched for that.
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
if [ "$(cat "$site/trading_system_src.pth" 2>/dev/null)" != "$PWD/src" ]; then
    echo "$PWD/src" >"$site/trading_system_src.pth"
    printf '#!%s\nimport sys\n\nfrom trading_system.app.cli import main\n\nsys.exit(main())\n' "$python" >"$venv/bin/trading-system"
    chmod +x "$venv/bin/trading-system"
fi

# PYTHONDONTWRITEBYTECODE may be set; without byte code every start compiles everything again
"$python" -m compileall -q src
