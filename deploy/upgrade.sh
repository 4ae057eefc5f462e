#!/usr/bin/env bash
# Changes the program of an installed OpenTracker, and goes back where the new one doesn't get ready.
#   deploy/upgrade.sh FILE      the new program
#   deploy/upgrade.sh --back    the program that was there before
# OPENTRACKER_READY is the address that is asked (http://127.0.0.1:3000/health/ready; a node without pages answers on
# port 9464), OPENTRACKER_PATIENCE the seconds that it may take (600): a program with other projections fills them
# first, and the log tells how far it is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/layout.sh"
[ "$(id -u)" = 0 ] || die "it must be run as root"
what=${1:?a program, or --back}
ready=${OPENTRACKER_READY:-http://127.0.0.1:3000/health/ready}
patience=${OPENTRACKER_PATIENCE:-600}

is_ready() {
  local until=$((SECONDS + patience))
  while [ "$SECONDS" -lt "$until" ]; do
    if curl -fsS -o /dev/null "$ready" 2>/dev/null; then return 0; fi
    sleep 1
  done
  return 1
}

now=$(readlink "$PROGRAMS/current") || die "nothing is installed: run deploy/install.sh"
if [ "$what" = --back ]; then
  before=$(readlink "$PROGRAMS/previous") || die "there is no program from before"
  point '' current "$before"
else
  [ -f "$what" ] || die "there is no program at $what"
  "$what" --version >/dev/null || die "$what doesn't run here"
  [ "$(sha256sum < "$what" | cut -c1-12)" != "$now" ] || { say "it is the current program already"; exit 0; }
  place_program '' "$what" "$here"
fi
systemctl restart opentracker
if is_ready; then
  point '' previous "$now"
  say "ready; the program from before is kept for: deploy/upgrade.sh --back"
  exit 0
fi
say "it isn't ready after $patience seconds; going back to $now"
point '' current "$now"
systemctl restart opentracker
is_ready || die "the program from before isn't ready either: journalctl -u opentracker tells why"
die "went back; journalctl -u opentracker tells why the new program wasn't ready"
