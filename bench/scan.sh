#!/bin/sh
# Has scanners from elsewhere look at a demo of this program, as a guest and as a member, on loopback alone.
#   bench/scan.sh [--minutes N] [guest|member]...
# bench/README.md tells how to get the scanners. Reports go to target/scan; the last lines say what the site
# itself saw. It fails where an answer was a 5xx, or the log has an error.
set -eu
cd "$(dirname "$0")/.."
program=${OPENTRACKER:-target/release/opentracker} port=${PORT:-3900}
minutes=5
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) minutes=$2; shift 2 ;;
    --*) echo "unknown option $1" >&2; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || set -- guest member
for needed in "$program" wapiti sqlmap python3; do
  command -v "$needed" >/dev/null || { echo "$needed is missing; bench/README.md tells how to get it" >&2; exit 1; }
done
seconds=$((minutes * 60)) site=http://127.0.0.1:$port out=$PWD/target/scan data=$(mktemp -d)
mkdir -p "$out"
found=0
pid=""
# shellcheck disable=SC2317 # the trap calls it
ended() {
  [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } || true
  rm -rf "$data"
}
trap ended EXIT
trap 'exit 1' INT TERM

# A scanner would be blocked within a minute: what stands behind the limits is what it is to look at.
for limit in PAGES MEMBER_PAGES FLOOD WRITES STAFF_WRITES SIGN_INS SCORE; do export "OPENTRACKER_LIMITS__$limit=0"; done
export OPENTRACKER_METRICS__LISTEN="127.0.0.1:$((port + 2))"
"$program" serve --demo --data-dir "$data" --listen "127.0.0.1:$port" --tracker "127.0.0.1:$((port + 1))" \
  >"$out/demo" 2>"$out/log" &
pid=$!
tries=0
until curl -fs -o "$out/ready" "$site/health/ready" && grep -q '  alice ' "$out/demo"; do
  tries=$((tries + 1))
  { [ "$tries" -lt 180 ] && kill -0 "$pid"; } || { cat "$out/log" >&2; exit 1; }
  sleep 1
done

# Addresses with what can be asked of them; a crawler finds the rest.
pages() {
  cat <<PAGES
$site/torrents?q=the&sort=name&dir=desc
$site/torrents?category=other&uploader=alice&least=1&most=9000000000&age=7&seeds=1
$site/forum/search?q=the
$site/statistics?range=week
$site/sign-in?next=%2Ftorrents
$site/register?invite=one
$site/api/auth/challenge?username=alice
$site/api/auth/pow?purpose=registration
$site/rss/latest?key=one
$site/api/torznab?t=search&q=one&apikey=one&cat=1000&limit=5&offset=1
PAGES
}

session() {
  if [ "$1" = guest ]; then echo none=none; return; fi
  echo 'demo alice password' | python3 bench/sign_in.py "$site" alice
}

for who in "$@"; do
  cookie=$(session "$who")
  echo "== wapiti, $who"
  # What ends the session, or this member, stays out; nothing is asked of a server elsewhere.
  # With an origin, as a browser sends it, forms get past the check that they are from a page of ours.
  wapiti -u "$site/" -s "$site/torrents" -s "$site/forum" --scope folder --header "Cookie: $cookie" --header "Origin: $site" \
    -x "$site/sign-out*" -x "$site/settings/sessions*" -x "$site/settings/erase*" --max-scan-time "$seconds" \
    --max-attack-time $((seconds / 8)) --max-links-per-page 60 --depth 6 --flush-session --no-bugreport --tasks 8 \
    -m backup,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,permanentxss,redirect,sql,timesql,xss \
    --store-session "$data" -f json -o "$out/wapiti-$who.json" >"$out/wapiti-$who.log" 2>&1 || true
  python3 - "$out/wapiti-$who.json" <<'FOUND'
import json, sys
found = json.load(open(sys.argv[1]))
print("pages:", found["infos"].get("crawled_pages_nbr"))
for kind in ("vulnerabilities", "anomalies"):
    for name, hits in found[kind].items():
        if hits:
            print(f"{kind}: {name}: {len(hits)}, such as {hits[0]['method']} {hits[0]['path']} {hits[0]['parameter']}: {hits[0]['info']}")
FOUND
  echo "== sqlmap, $who"
  # Anew: the scanner before may have ended it.
  cookie=$(session "$who")
  pages >"$data/pages"
  timeout "$seconds" sqlmap -m "$data/pages" --cookie "$cookie" --batch --level 2 --risk 2 --threads 8 --dbms postgresql \
    --ignore-code '*' --disable-coloring --output-dir "$data/sqlmap" >"$out/sqlmap-$who.log" 2>&1 || true
  printf 'parameters that it gave up: %s\n' "$(grep -c 'does not seem to be injectable' "$out/sqlmap-$who.log")"
  if grep -A20 'identified the following injection point' "$out/sqlmap-$who.log"; then found=1; fi
done

echo "== the site"
curl -fs "http://$OPENTRACKER_METRICS__LISTEN/metrics" >"$out/metrics"
grep -E '^opentracker_request_seconds_count' "$out/metrics"
if grep -q '^opentracker_request_seconds_count.*status="5' "$out/metrics" || grep -aE 'ERROR|panicked' "$out/log"; then
  echo "it failed at what it was sent: $out/log" >&2
  found=1
fi
exit "$found"
