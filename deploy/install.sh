#!/usr/bin/env bash
# Installs or upgrades the service on this host, as root, from a checkout. Starts nothing; a running daemon keeps running until
# it is restarted. --dry-run prints what would be done.
set -euo pipefail
cd "$(dirname "$0")/.."

target=/opt/tradingsystem
etc=/etc/tradingsystem
dry=
if [ "${1:-}" = --dry-run ]; then dry=yes; elif [ $# -gt 0 ]; then echo "usage: deploy/install.sh [--dry-run]" >&2; exit 2; fi
do_() { if [ -n "$dry" ]; then echo "would run: $*"; else "$@"; fi; }

if [ -z "$dry" ] && [ "$(id -u)" -ne 0 ]; then echo "run as root, or with --dry-run" >&2; exit 1; fi
id trading >/dev/null 2>&1 || do_ useradd --system --home-dir /var/lib/tradingsystem --shell /usr/sbin/nologin trading

# code: what is committed, nothing else; config edited on this host stays
do_ install -d -m 0755 "$target"
if [ -n "$dry" ]; then
    echo "would run: git archive HEAD | tar -x -C $target (existing config/*.yaml kept)"
else
    keep=()
    for file in config/config.yaml config/safety.yaml; do
        if [ -e "$target/$file" ]; then keep+=("--exclude=$file"); fi
    done
    git archive HEAD | tar -x -C "$target" "${keep[@]}"
fi
do_ "$target/scripts/venv.sh" runtime

do_ install -d -m 0700 "$etc" "$etc/secrets"
for name in kraken_futures_api_key kraken_futures_api_secret database_url alert_webhook_url alert_chat_id; do
    if [ ! -e "$etc/secrets/$name" ]; then do_ install -m 0600 /dev/null "$etc/secrets/$name"; fi
done

do_ install -m 0644 deploy/trading-bot.service deploy/trading-bot-alert.service /etc/systemd/system/
do_ systemctl daemon-reload

cat <<'TEXT'
Next:
  put the secrets into /etc/tradingsystem/secrets/ (mode 0600), edit /opt/tradingsystem/config/config.yaml
  check:  cd /opt/tradingsystem && .venv/bin/python run.py prove-config && make smoke
  start:  systemctl enable --now trading-bot     (upgrade: systemctl restart trading-bot; the stops rest at the venue meanwhile)
TEXT
