#!/usr/bin/env bash
# Installs OpenTracker on a Debian or Ubuntu server, as root. It may be run again at any time: what is there is kept.
#   deploy/install.sh --domain NAME [--program FILE] [--root DIR] [--dry-run]
#   deploy/install.sh --uninstall [--root DIR] [--dry-run]
# --dry-run prints each step that would change something. --root installs into another root, where nothing is started.
# --uninstall takes services and programs away, and leaves data, keys, configuration and the database.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/layout.sh"

domain='' program="$here/../target/release/opentracker" root='' dry='' uninstall=''
while [ $# -gt 0 ]; do
  case $1 in
    --domain) domain=${2:?--domain needs a name}; shift 2 ;;
    --program) program=${2:?--program needs a file}; shift 2 ;;
    --root) root=$(realpath -m "${2:?--root needs a folder}"); shift 2 ;;
    --dry-run) dry=1; shift ;;
    --uninstall) uninstall=1; shift ;;
    *) die "unknown argument $1; usage: deploy/install.sh --domain NAME [--program FILE] [--root DIR] [--dry-run] | --uninstall" ;;
  esac
done
[ "$root" = / ] && root=''
[ -n "$dry$root" ] || [ "$(id -u)" = 0 ] || die "it must be run as root"

changes=0 left=()
# Says a step, and takes it unless this is a dry run.
step() {
  local what=$1; shift
  changes=$((changes + 1))
  if [ -n "$dry" ]; then say "would: $what"; return 0; fi
  say "$what"
  "$@"
}
leave() { left+=("$1"); }
# Runs a program of the root that is installed into.
within() { if [ -n "$root" ]; then chroot "$root" "$@"; else "$@"; fi; }
has() { [ -x "$root/usr/bin/$1" ] || [ -x "$root/usr/sbin/$1" ] || [ -x "$root/bin/$1" ] || [ -x "$root/sbin/$1" ]; }
is_running() { [ -z "$root" ] && [ -d /run/systemd/system ]; }
# The account's number there, or nothing.
number() { [ ! -r "$root/etc/passwd" ] || sed -n "s/^$ACCOUNT:[^:]*:\([0-9]*\):.*/\1/p" "$root/etc/passwd"; }
group() { [ ! -r "$root/etc/group" ] || sed -n "s/^$ACCOUNT:[^:]*:\([0-9]*\):.*/\1/p" "$root/etc/group"; }
own() { # own FILE MODE [root]
  local user
  user=$(number)
  [ -z "$user" ] || chown "$([ "${3:-}" = root ] && echo 0 || echo "$user"):$(group)" "$1"
  chmod "$2" "$1"
}

packages() {
  local package missing=()
  for package in postgresql:pg_ctlcluster redis-server:redis-server caddy:caddy curl:curl; do
    has "${package#*:}" || missing+=("${package%:*}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! has apt-get; then leave "packages ${missing[*]}: there is no apt-get"; return 0; fi
  step "install ${missing[*]}" install_packages "${missing[@]}"
}
install_packages() {
  within apt-get update -qq
  within env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
  # Redis runs as a service of ours, without persistence.
  if is_running; then systemctl disable --now redis-server.service >/dev/null 2>&1 || true; fi
}

account() {
  [ -z "$(number)" ] || return 0
  if ! has useradd; then leave "account $ACCOUNT: there is no useradd"; return 0; fi
  step "make the account $ACCOUNT" within useradd --system --user-group --home-dir "$DATA" --no-create-home --shell /usr/sbin/nologin "$ACCOUNT"
}

folder() { # folder PATH MODE [root]
  [ ! -d "$root$1" ] || return 0
  step "make $1" make_folder "$@"
}
make_folder() { mkdir -p "$root$1"; own "$root$1" "$2" "${3:-}"; }

# Writes a file from standard input where it isn't there; what is there stays.
once() { # once PATH MODE [root]
  local text
  text=$(cat)
  [ ! -e "$root$1" ] || return 0
  step "write $1" put "$text" "$@"
}
# Writes a file that is ours alone, where it differs.
kept() { # kept PATH MODE [root]
  local text
  text=$(cat)
  if [ -f "$root$1" ] && [ "$(cat "$root$1")" = "$text" ]; then return 0; fi
  step "write $1" put "$text" "$@"
}
put() {
  local text=$1 path="$root$2"
  mkdir -p "$(dirname "$path")"
  (umask 077; printf '%s\n' "$text" > "$path.new")
  own "$path.new" "$3" "${4:-}"
  mv "$path.new" "$path"
}
secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

configure() {
  folder "$ETC" 0750 root
  folder "$DATA" 0700
  folder "$BACKUPS" 0700
  if [ ! -e "$root$ETC/secrets.env" ]; then
    local password
    password=$(secret)
    once "$ETC/redis.secret" 0400 <<< "requirepass $password"
    # PostgreSQL knows the account by its socket: there is no password to keep.
    once "$ETC/secrets.env" 0400 <<< "DATABASE_URL=postgres://opentracker@localhost/opentracker?host=/var/run/postgresql
REDIS_URL=redis://:$password@127.0.0.1:6390/"
  fi
  once "$ETC/opentracker.toml" 0440 root <<< "data_dir = \"$DATA\"

[site]
origin = \"https://$domain\"
trusted_proxies = [\"127.0.0.1\", \"::1\"]

[announce]
# HTTP and WebSocket come through Caddy, UDP comes here.
listen = \"0.0.0.0:8080\"
url = \"https://$domain/announce\"
also = [\"udp://$domain:8080/announce\"]

[tracker]
trusted_proxies = [\"127.0.0.1\", \"::1\"]"
  kept "$ETC/redis.conf" 0440 root < "$here/redis.conf"
  local unit
  for unit in "${SERVED[@]}"; do
    kept "$UNITS/$unit" 0644 root < "$here/systemd/$unit"
  done
  kept "$COMMAND" 0755 root < "$here/opentracker"
  kept /etc/caddy/opentracker.caddy 0644 root < <(sed "s/{\$OPENTRACKER_DOMAIN:localhost}/$domain/" "$here/Caddyfile")
  if [ ! -e "$root/etc/caddy/Caddyfile" ] || grep -q '^# The Caddyfile is an easy way' "$root/etc/caddy/Caddyfile"; then
    kept /etc/caddy/Caddyfile 0644 root <<< 'import opentracker.caddy'
  elif ! grep -q 'import opentracker.caddy' "$root/etc/caddy/Caddyfile"; then
    leave "Caddy: /etc/caddy/Caddyfile is yours; add the line: import opentracker.caddy"
  fi
}

place() {
  if [ -e "$root$PROGRAMS/current" ]; then
    local now
    now=$(sha256sum < "$root$PROGRAMS/current/opentracker")
    if [ -f "$program" ] && [ "$now" != "$(sha256sum < "$program")" ]; then
      leave "the program is another one than $program: deploy/upgrade.sh $program changes it"
    fi
    return 0
  fi
  [ -f "$program" ] || die "there is no program at $program: build it with cargo build --release, or name it with --program"
  step "place $program in $PROGRAMS" place_program "$root" "$program" "$here"
}

# A role and a database of its own, by the server's own account.
database() {
  if ! has psql; then leave "the database: there is no psql"; return 0; fi
  if [ -n "$dry" ] && ! ask 'select 1' >/dev/null 2>&1; then step "make the role and the database opentracker"; return 0; fi
  if ! ask 'select 1' >/dev/null 2>&1; then leave "the database: PostgreSQL doesn't answer; start it and run this again"; return 0; fi
  [ "$(ask "select 1 from pg_roles where rolname = 'opentracker'")" = 1 ] ||
    step "make the role opentracker" ask "create role opentracker login"
  [ "$(ask "select 1 from pg_database where datname = 'opentracker'")" = 1 ] ||
    step "make the database opentracker" ask "create database opentracker owner opentracker"
}
ask() { within runuser -u postgres -- psql -XAtq -d postgres -c "$1"; }

start() {
  if ! is_running; then
    leave "services: no systemd runs here"
    return 0
  fi
  [ -n "$dry" ] || systemctl daemon-reload
  local service
  for service in opentracker-redis opentracker opentracker-backup.timer; do
    if ! systemctl is-enabled -q "$service" 2>/dev/null || ! systemctl is-active -q "$service"; then
      step "start $service" systemctl enable --now "$service"
    fi
  done
  [ "$changes" = 0 ] || step "reload Caddy" systemctl reload-or-restart caddy
}

remove() {
  local path
  if is_running; then
    step "stop the services" systemctl disable --now opentracker opentracker-redis opentracker-backup.timer
  fi
  for path in "${SERVED[@]/#/$UNITS/}" "$COMMAND" "$PROGRAMS" /etc/caddy/opentracker.caddy; do
    [ ! -e "$root$path" ] || step "remove $path" rm -r "${root:?}$path"
  done
  say "kept: $DATA, $BACKUPS, $ETC, the database, the account"
}

[ -z "$root" ] || [ -n "$dry" ] || mkdir -p "$root"
if [ -n "$uninstall" ]; then
  remove
else
  if [ -e "$root$ETC/opentracker.toml" ]; then
    [ -n "$domain" ] || domain=$(sed -n 's|^origin = "https://\(.*\)"|\1|p' "$root$ETC/opentracker.toml")
  fi
  [[ "$domain" =~ ^[A-Za-z0-9.-]+$ ]] || die "name the site's domain with --domain, such as --domain tracker.example"
  packages
  account
  configure
  place
  database
  start
fi
for one in "${left[@]:-}"; do [ -z "$one" ] || say "left out: $one"; done
say "$changes changes"
