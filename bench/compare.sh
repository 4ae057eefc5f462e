#!/bin/sh
# Asks trackers with the same announces, one after another, and prints a line for each.
#   bench/compare.sh [--seconds N] [--peers N] [--rounds N] [--hashes FILE] URL[,PID]...
# With a PID the line has the tracker's processor time per announce. bench/README.md tells how to set
# the others up.
set -eu
cd "$(dirname "$0")/.."
program=${OPENTRACKER:-target/release/opentracker}
[ -x "$program" ] || { echo "$program is missing; run: cargo build --release" >&2; exit 1; }
seconds=4 peers=100000 rounds=3 hashes=
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --peers) peers=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --hashes) hashes=$2; shift 2 ;;
    --*) echo "unknown option $1" >&2; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { echo "usage: bench/compare.sh [--seconds N] [--peers N] [--rounds N] [--hashes FILE] URL[,PID]..." >&2; exit 2; }

# In turn, so that whatever else the machine does meets all of them.
round=0
while [ "$round" -lt "$rounds" ]; do
  round=$((round + 1))
  for one in "$@"; do
    url=${one%%,*}
    pid=; case $one in *,*) pid=${one##*,} ;; esac
    for transport in http http-new udp; do
      case $url:$transport in udp://*:udp | http://*:http | http://*:http-new) ;; *) continue ;; esac
      # The path may hold a passkey.
      shown=$(printf %s "$url" | cut -d/ -f1-3)
      found=$("$program" bench announce --transport "$transport" --seconds "$seconds" --peers "$peers" \
        --against "$url" ${pid:+--pid "$pid"} ${hashes:+--hashes "$hashes"}) || found='"failed"'
      printf '{"round":%s,"tracker":"%s","transport":"%s","found":%s}\n' "$round" "$shown" "$transport" "$found"
    done
  done
done
