# shellcheck shell=bash disable=SC2154
# Tests a daemon whose token loses its storage. scripts/tokens sources this file, after tokens.sh.
#
# storage NAME SECONDS... tests the token of make_token NAME, while a caller requests MACs:
#   - the storage is absent for each of SECONDS
#   - an empty token with the same label and PIN replaces the storage
#   - a copy that is older than the last key replaces the storage
#   - the daemon starts with each of these
#   - the storage stays absent, and token.exit_when_lost is true
#   - another program destroys the key of the health check, and token.exit_when_lost is true
# Ends with an error if a MAC is wrong, if the daemon is SERVING and cannot use a key of the token,
# or if a key does not work after the return of the storage. Records the differences between tokens
# as behaviors.

storage_limit=30 # The time limit of each wait, in seconds.

storage() {
  local name=$1 dir=$tokens/$1 seconds newer i
  shift
  behaviours_file=$scratch/$name.behaviours
  storage_copies
  start_caller
  # A first daemon creates the keys and ends, so the next daemon has used none of the keys. Each
  # case uses a new key, because a session copy works without the token's storage.
  unused=0
  serve "$name" "$dir/hmacd.yaml"
  for ((i = 0; i < $# + 3; i++)); do request create created; done
  stop "$name"
  cp -a "$token_storage" "$token_storage.older"
  newer=$i

  serve "$name" "$dir/hmacd.yaml"
  request connect connected
  request create created
  request "load $newer" started
  for seconds; do storage_away "$seconds"; done
  storage_empty
  storage_older
  stop_load
  stop "$name"
  storage_started
  storage_lost
  storage_destroyed
  stop_caller
  rm -rf "$token_storage".{empty,older}
}

# Makes a copy of an empty token.
storage_copies() {
  take_away
  "storage_$name" "$dir"
  mv "$token_storage" "$token_storage.empty"
  give_back
  remove_shared_memory
}

# --- The caller ---

start_caller() {
  coproc caller {
    exec "$JAVA_HOME/bin/java" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx128m --enable-native-access=ALL-UNNAMED \
      -cp "$test_classes:$(cat "$work/classpath")" dev.hmacd.testing.StorageCaller "$dir/hmacd.sock" 2>"$dir/caller.log"
  }
  caller_in=${caller[1]} caller_out=${caller[0]} caller_pid=$!
}

stop_caller() {
  [ -n "${caller_pid-}" ] || return 0
  kill "$caller_pid" 2>/dev/null || true
  wait "$caller_pid" 2>/dev/null || true
  caller_pid=''
}

# request COMMAND [ANSWER]: sends a command to the caller. Sets $answer. Ends with an error if it is not
# ANSWER.
request() {
  say "$1" >&"$caller_in"
  IFS= read -r -t "$storage_limit" answer <&"$caller_out" ||
    die "$name: no answer to $1: $(tail -n 5 "$dir/caller.log")"
  [ "$answer" = "${2-$answer}" ] || die "$name: $1: $answer"
}

# mac NUMBER: whether the caller gets the correct MAC of this key. Ends with an error if the MAC is
# wrong.
mac() {
  request "mac $1"
  case $answer in
    right) ;;
    TOKEN_UNAVAILABLE | KEY_UNAVAILABLE) return 1 ;;
    *) die "$name: a MAC of key $1: $answer" ;;
  esac
}

# assert_missing NUMBER: the key must be unavailable, and the token available.
assert_missing() {
  if mac "$1" || [ "$answer" != KEY_UNAVAILABLE ]; then die "$name: a key that is not in the copy: $answer"; fi
}

stop_load() {
  local right_macs wrong refused
  request stop
  read -r right_macs wrong refused <<<"$answer"
  say "  MACs meanwhile: $right_macs correct, $wrong wrong, $refused refused"
  [ "$right_macs" != 0 ] || die "$name: the caller got no MAC"
  [ "$wrong" = 0 ] || die "$name: $wrong MACs were wrong"
}

# --- The daemon ---

now() { say "$((${EPOCHREALTIME/./} / 1000))"; }

stop() {
  stop_daemon "$daemon" || die "$1: the daemon did not stop with exit code 0: $(tail -n 5 "$tokens/$1/hmacd.log")"
}

# Prints the latest health status in the log.
health() { sed -n 's/.* health status: \(.*SERVING\).*/\1/p' "$dir/hmacd.log" | tail -n 1; }

# await_health HEALTH SINCE: waits for a health status. Sets $took to the milliseconds since SINCE.
await_health() {
  local limit=$((SECONDS + storage_limit))
  until [ "$(health)" = "$1" ]; do
    [ "$SECONDS" -lt "$limit" ] || die "$name: the daemon is not $1: $(tail -n 5 "$dir/hmacd.log")"
    sleep 0.02
  done
  took=$(($(now) - $2))
}

# await_macs SINCE NUMBER...: waits until the MACs of these keys are correct. Sets $took to the
# milliseconds since SINCE.
await_macs() {
  local since=$1 limit=$((SECONDS + storage_limit)) number
  shift
  for number; do
    until mac "$number"; do
      [ "$SECONDS" -lt "$limit" ] || die "$name: key $number does not work again: $answer"
      sleep 0.01
    done
  done
  took=$(($(now) - since))
}

# await_end DIR: waits for the end of the daemon. Sets $status to its exit status.
await_end() {
  local limit=$((SECONDS + storage_limit))
  while kill -0 "$daemon" 2>/dev/null; do
    [ "$SECONDS" -lt "$limit" ] || die "${1##*/}: the daemon did not end: $(tail -n 5 "$1/hmacd.log")"
    sleep 0.05
  done
  status=0
  wait "$daemon" || status=$?
  daemon=''
}

# record BEHAVIOR VALUE: records a behavior of the token. Ends with an error if an earlier value
# differs.
record() {
  local before
  before=$(sed -n "s/^$1=//p" "$behaviours_file")
  [ -n "$before" ] || printf '%s=%s\n' "$1" "$2" >>"$behaviours_file"
  [ "${before:-$2}" = "$2" ] || die "$name: $1: '$2', but '$before' earlier"
}

# --- The storage ---

take_away() { mv "$token_storage" "$token_storage.away"; }

give_back() {
  rm -rf "$token_storage"
  mv "$token_storage.away" "$token_storage"
}

# replace_by COPY: replaces the storage by a copy.
replace_by() {
  rm -rf "$token_storage"
  cp -a "$token_storage.$1" "$token_storage"
}

# Removes the shared memory of openCryptoki. No process may have the token open.
remove_shared_memory() {
  [ "$name" != opencryptoki ] || rm -f /dev/shm/var.lib.opencryptoki.swtok
}

# Restores the storage. For at_exit.
restore_storage() {
  [ -n "${token_storage-}" ] || return 0
  [ ! -e "$token_storage.away" ] || give_back
  rm -rf "$token_storage".{empty,older}
}

# --- The cases ---

# observe_loss SINCE: sets $seen to the behavior of the daemon without its storage. Either an unused
# key gives the correct MAC, or the daemon is NOT_SERVING.
observe_loss() {
  if mac "$((unused++))"; then
    seen='goes on'
    [ "$(health)" = SERVING ] || die "$name: MACs are correct, but the daemon is not SERVING"
  else
    await_health NOT_SERVING "$1"
    seen=NOT_SERVING
    say "  NOT_SERVING after $took ms"
  fi
}

# return_storage KEY: returns the storage. Then the MAC of every key must be correct.
return_storage() {
  local since
  since=$(now)
  give_back
  await_health SERVING "$since"
  await_macs "$since" "$1" 0 "$newer"
}

storage_away() {
  local since fresh=$unused
  since=$(now)
  take_away
  observe_loss "$since"
  record DAEMON_AWAY "$seen"
  while [ $(($(now) - since)) -lt $(($1 * 1000)) ]; do sleep 0.05; done
  [ "$seen" != NOT_SERVING ] || [ "$(health)" = NOT_SERVING ] || die "$name: SERVING without its storage"
  return_storage "$fresh"
  say "  storage absent for $1 s: $seen; every MAC correct $took ms after its return"
}

storage_empty() {
  local since fresh=$unused before
  request keys
  before=$answer
  since=$(now)
  take_away
  replace_by empty
  observe_loss "$since"
  record DAEMON_EMPTY "$seen"
  request keys "$before"
  return_storage "$fresh"
  request keys "$before"
  say "  an empty token: $seen; every MAC correct $took ms after the return of the storage"
}

storage_older() {
  local since fresh=$unused
  since=$(now)
  take_away
  observe_loss "$since"
  replace_by older
  since=$(now)
  await_health SERVING "$since"
  await_macs "$since" "$fresh"
  if [ "$seen" = NOT_SERVING ]; then
    seen='newer key refused'
    assert_missing "$newer"
  else
    mac "$newer" || die "$name: the newer key: $answer"
  fi
  record DAEMON_OLDER "$seen"
  say "  an older copy: $seen; MACs of older keys correct after $took ms"
}

# Every token detects the change at the next start of the daemon.
storage_started() {
  remove_shared_memory
  serve "$name" "$dir/hmacd.yaml"
  request connect connected
  await_macs "$(now)" 0
  assert_missing "$newer"
  record DAEMON_START_OLDER 'newer key refused'
  stop "$name"
  replace_by empty
  start_without DAEMON_START_EMPTY
  rm -r "$token_storage"
  start_without DAEMON_START_AWAY
  give_back
  remove_shared_memory
}

# start_without BEHAVIOR: starts the daemon on a token without its keys. The daemon must not serve.
start_without() {
  local limit=$((SECONDS + storage_limit))
  remove_shared_memory
  start "$name" "$dir/hmacd.yaml"
  until [ -n "$(health)" ] || ! kill -0 "$daemon" 2>/dev/null; do
    [ "$SECONDS" -lt "$limit" ] || die "$name: the daemon neither starts nor ends: $(tail -n 5 "$dir/hmacd.log")"
    sleep 0.02
  done
  if kill -0 "$daemon" 2>/dev/null; then
    record "$1" "$(health)"
    [ "$(health)" = NOT_SERVING ] || die "$name: the daemon is $(health) without its keys"
    stop "$name"
  else
    await_end "$dir"
    record "$1" "exits with status $status"
  fi
}

storage_lost() {
  local since fresh=$unused
  sed '/^token:/a\  lost_after: 1s\n  exit_when_lost: true' "$dir/hmacd.yaml" >"$dir/storage.yaml"
  serve "$name" "$dir/storage.yaml"
  request connect connected
  since=$(now)
  take_away
  observe_loss "$since"
  if [ "$seen" = NOT_SERVING ]; then
    await_75
    seen='exits with status 75'
    say "  absent, with exit_when_lost: exited with status $status after $(($(now) - since)) ms"
    give_back
    remove_shared_memory
    serve "$name" "$dir/storage.yaml"
    request connect connected
  else
    say "  absent, with exit_when_lost: $seen"
    give_back
  fi
  record DAEMON_LOST "$seen"
  await_macs "$(now)" "$fresh" 0 "$newer"
}

# Another program destroys the key of the health check. With every token, the daemon detects this.
storage_destroyed() {
  local since
  cp -a "$token_storage" "$token_storage.away"
  quietly in_token "$name" pkcs11-tool --module "$token_tool" --token-label "$(token_label)" --login --pin "$token_pin" \
    --delete-object --type secrkey --label hmacd/own/probe
  since=$(now)
  await_health NOT_SERVING "$since"
  say "  key of the health check destroyed: NOT_SERVING after $took ms"
  await_75
  record DAEMON_DESTROYED 'NOT_SERVING, exits with status 75'
  give_back
  remove_shared_memory
  serve "$name" "$dir/storage.yaml"
  request connect connected
  await_macs "$(now)" 0 "$newer"
  stop "$name"
}

# await_75: waits until the daemon exits with status 75 for its supervisor.
await_75() {
  await_end "$dir"
  [ "$status" = 75 ] || die "$name: the daemon exited with status $status, not with 75: $(tail -n 5 "$dir/hmacd.log")"
}

# Prints the label in the configuration.
token_label() { sed -n "s/^  label: '\{0,1\}\([^']*\)'\{0,1\}$/\1/p" "$dir/hmacd.yaml"; }
