# Shared by the scripts: what they say while they work, and where things lie. Sourced by bash.
# shellcheck shell=bash disable=SC2034
HONE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$HONE_ROOT" || exit 1
DEPS=$HONE_ROOT/.deps
BIN=${HONE_BIN:-$HONE_ROOT/build/release/bin}
BASE_NAME=smollm2-135m-instruct.q4_1.gguf
BASE_FILE=$DEPS/bases/$BASE_NAME

# One place for compiled objects per checkout's owner; keyed so that another checkout shares them.
export CCACHE_BASEDIR=$HONE_ROOT CCACHE_NOHASHDIR=1

if [ -t 1 ]; then BOLD=$'\e[1m' PLAIN=$'\e[0m'; else BOLD='' PLAIN=''; fi

say() { printf '%s== %s%s\n' "$BOLD" "$*" "$PLAIN"; }
die() { printf 'hone: %s\n' "$*" >&2; exit 1; }

# 75 -> "1 min 15 s"
spell_seconds() {
  local s=$1
  if [ "$s" -ge 60 ]; then printf '%d min %02d s' $((s / 60)) $((s % 60)); else printf '%d s' "$s"; fi
}

# timed TITLE COMMAND...: says what runs and how long it took; the command's own failure is ours.
timed() {
  local title=$1 start=$SECONDS
  shift
  say "$title"
  "$@" || { local rc=$?; printf 'hone: failed after %s: %s\n' "$(spell_seconds $((SECONDS - start)))" "$title" >&2; return $rc; }
  printf '   done in %s: %s\n' "$(spell_seconds $((SECONDS - start)))" "$title"
}

# Node from scripts/setup where the machine's own is missing or too old.
if [ -x "$DEPS/node/bin/node" ]; then PATH=$DEPS/node/bin:$PATH; fi
