# Where an installed OpenTracker stands, for install.sh and upgrade.sh. To be sourced.
# shellcheck shell=bash disable=SC2034

ACCOUNT=opentracker
ETC=/etc/opentracker
DATA=/var/lib/opentracker
BACKUPS=/var/backups/opentracker
PROGRAMS=/usr/local/lib/opentracker
COMMAND=/usr/local/bin/opentracker
UNITS=/etc/systemd/system
SERVED=(opentracker.service opentracker-redis.service opentracker-backup.service opentracker-backup.timer)

say() { printf '%s\n' "opentracker: $*" >&2; }
die() { say "$*"; exit 1; }

# Puts a program into a folder of its own, named by its hash, and makes it the current one.
place_program() { # place_program ROOT PROGRAM DEPLOY
  local root=$1 program=$2 deploy=$3 name folder
  name=$(sha256sum < "$program" | cut -c1-12)
  folder="$root$PROGRAMS/$name"
  mkdir -p "$folder/docs"
  install -m 0755 "$program" "$folder/opentracker"
  install -m 0644 "$deploy"/../docs/*.md "$folder/docs"
  chmod 0755 "$root$PROGRAMS" "$folder" "$folder/docs"
  point "$root" current "$name"
}

# Lets a link name another folder, in one step.
point() { # point ROOT LINK NAME
  ln -sfn "$3" "$1$PROGRAMS/$2.new"
  mv -T "$1$PROGRAMS/$2.new" "$1$PROGRAMS/$2"
}
