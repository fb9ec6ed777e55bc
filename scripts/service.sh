# Starting, watching and stopping Hone's programs in the background. Sourced after lib.sh.
# shellcheck shell=bash

# The variables that every program reads; `start` also starts PostgreSQL and Redis.
load_environment() {
  local variables
  if [ "${1:-}" = start ]; then services/local/hone-local start; fi
  variables=$(services/local/hone-local env)
  eval "$variables"
  mkdir -p "$HONE_HOME/log"
}

# The process of a pid file, only while it is still that program: ids are used again.
program_pid() {
  local pid
  pid=$(cat "$HONE_HOME/$1.pid" 2>/dev/null) || return 1
  [ "$(basename "$(readlink "/proc/$pid/exe" 2>/dev/null)" | cut -d' ' -f1)" = "hone-$1" ] && echo "$pid"
}

port_is_busy() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# HONE_LISTEN as given, else 127.0.0.1:8080 or the next free port. Kept for the other scripts.
choose_address() {
  local port=8080
  if [ -z "${HONE_LISTEN:-}" ]; then
    while port_is_busy $port; do
      port=$((port + 1))
      [ $port -lt 8180 ] || die "no free port between 8080 and 8180; name one by HONE_LISTEN=127.0.0.1:PORT"
    done
    HONE_LISTEN=127.0.0.1:$port
  fi
  export HONE_LISTEN
  echo "http://$HONE_LISTEN" >"$HONE_HOME/address"
}
address() { cat "$HONE_HOME/address"; }

# start_program NAME [--address]: hone-NAME in its own session, its log in .hone/log.
start_program() {
  local name=$1 pid
  if pid=$(program_pid "$name"); then
    echo "   hone-$name runs already (process $pid)"
    return 0
  fi
  if [ "${2:-}" = --address ]; then choose_address; fi
  setsid nohup "$BIN/hone-$name" >>"$HONE_HOME/log/$name.log" 2>&1 </dev/null &
  pid=$!
  disown
  echo $pid >"$HONE_HOME/$name.pid"
  echo "   hone-$name: process $pid, log $HONE_HOME/log/$name.log"
}

# Stops by SIGTERM and waits; SIGKILL only for a program that does not end by itself.
stop_program() {
  local name=$1 patience_s=$2 pid
  if ! pid=$(program_pid "$name"); then
    echo "   hone-$name was not running"
    rm -f "$HONE_HOME/$name.pid"
    return 0
  fi
  kill -TERM "$pid"
  for _ in $(seq $((patience_s * 5))); do
    [ -d "/proc/$pid" ] || break
    sleep 0.2
  done
  if [ -d "/proc/$pid" ]; then
    echo "   hone-$name did not end within $patience_s s: killed"
    kill -KILL "$pid"
  else
    echo "   hone-$name ended"
  fi
  rm -f "$HONE_HOME/$name.pid"
}

wait_until_ready() {
  for _ in $(seq 150); do
    if curl -fsS --max-time 2 -o /dev/null "$(address)/api/v1/ready" 2>/dev/null; then return 0; fi
    program_pid server >/dev/null || break
    sleep 0.2
  done
  tail -n 5 "$HONE_HOME/log/server.log" >&2
  die "hone-server did not become ready; its log is $HONE_HOME/log/server.log"
}

# While nobody has an account: the one-time link that makes the first administrator.
print_setup_link() {
  local link
  if link=$(HONE_PUBLIC_URL=$(address) "$BIN/hone" setup-link --if-needed) && [ -n "$link" ]; then
    printf 'Open this link once to make the first administrator:\n\n  %s%s%s\n\n' "$BOLD" "$link" "$PLAIN"
  fi
}
