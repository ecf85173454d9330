# shellcheck shell=bash disable=SC2154
# A token loses its storage under a daemon. Sourced by scripts/tokens, after tokens.sh.
#
# storage NAME SECONDS... tries on the token of make_token NAME, with a caller that asks for MACs all the while:
#   - the storage is away for so long, for each of SECONDS
#   - an empty token with the same label and PIN is in its place
#   - an older copy of the storage, from before the last key was made, is in its place
#   - the daemon is started on each of these
#   - the storage is away for good, and token.exit_when_lost is true
#   - another program destroys the key of the health check, and token.exit_when_lost is true
# Ends with an error when a MAC is wrong, when the daemon is SERVING and cannot use a key of the token, and when a key
# is not back with the storage. What tokens differ in is noted among their behaviours.

storage_limit=30 # Seconds, for whatever is waited for.

storage() {
  local name=$1 dir=$tokens/$1 seconds newer i
  shift
  behaviours_file=$scratch/$name.behaviours
  storage_copies
  start_caller
  # A daemon that ends then makes the keys: the next one has used none of them. Each case takes an unused one, since a
  # session's copy of a key says nothing of the token.
  unused=0
  serve "$name" "$dir/hmacd.yaml"
  for ((i = 0; i < $# + 3; i++)); do ask create created; done
  stop "$name"
  cp -a "$token_storage" "$token_storage.older"
  newer=$i

  serve "$name" "$dir/hmacd.yaml"
  ask connect connected
  ask create created
  ask "load $newer" started
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

# Makes an empty token, and has it at hand.
storage_copies() {
  take_away
  "storage_$name" "$dir"
  mv "$token_storage" "$token_storage.empty"
  give_back
  forget
}

# --- Who asks for MACs ---

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

# ask COMMAND [ANSWER]: the answer is in $answer, and is this one.
ask() {
  say "$1" >&"$caller_in"
  IFS= read -r -t "$storage_limit" answer <&"$caller_out" ||
    die "$name: no answer to $1: $(tail -n 5 "$dir/caller.log")"
  [ "$answer" = "${2-$answer}" ] || die "$name: $1: $answer"
}

# mac NUMBER: whether a MAC of this key is right. It may be refused, and never be wrong.
mac() {
  ask "mac $1"
  case $answer in
    right) ;;
    TOKEN_UNAVAILABLE | KEY_UNAVAILABLE) return 1 ;;
    *) die "$name: a MAC of key $1: $answer" ;;
  esac
}

# lacks NUMBER: this key is refused, and the token is not.
lacks() {
  if mac "$1" || [ "$answer" != KEY_UNAVAILABLE ]; then die "$name: a key that the copy lacks: $answer"; fi
}

stop_load() {
  local right_macs wrong refused
  ask stop
  read -r right_macs wrong refused <<<"$answer"
  say "  MACs meanwhile: $right_macs right, $wrong wrong, $refused refused"
  [ "$right_macs" != 0 ] || die "$name: the caller got no MAC"
  [ "$wrong" = 0 ] || die "$name: $wrong MACs were wrong"
}

# --- The daemon ---

now() { say "$((${EPOCHREALTIME/./} / 1000))"; }

stop() {
  stop_daemon "$daemon" || die "$1: the daemon did not stop as it should: $(tail -n 5 "$tokens/$1/hmacd.log")"
}

# What the daemon said last of its health.
health() { sed -n 's/.* known answer: \(.*SERVING\).*/\1/p' "$dir/hmacd.log" | tail -n 1; }

# await_health HEALTH SINCE: how long it took is in $took.
await_health() {
  local limit=$((SECONDS + storage_limit))
  until [ "$(health)" = "$1" ]; do
    [ "$SECONDS" -lt "$limit" ] || die "$name: the daemon is not $1: $(tail -n 5 "$dir/hmacd.log")"
    sleep 0.02
  done
  took=$(($(now) - $2))
}

# await_right SINCE NUMBER...: until the MAC of each of these keys is right; how long it took is in $took.
await_right() {
  local since=$1 limit=$((SECONDS + storage_limit)) number
  shift
  for number; do
    until mac "$number"; do
      [ "$SECONDS" -lt "$limit" ] || die "$name: key $number is not back: $answer"
      sleep 0.01
    done
  done
  took=$(($(now) - since))
}

# await_end DIR: of the daemon; its status is in $status.
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

# note BEHAVIOUR WHAT: what was seen of the token, each time the same.
note() {
  local before
  before=$(sed -n "s/^$1=//p" "$behaviours_file")
  [ -n "$before" ] || printf '%s=%s\n' "$1" "$2" >>"$behaviours_file"
  [ "${before:-$2}" = "$2" ] || die "$name: $1: '$2', and '$before' before"
}

# --- The storage ---

take_away() { mv "$token_storage" "$token_storage.away"; }

give_back() {
  rm -rf "$token_storage"
  mv "$token_storage.away" "$token_storage"
}

# replace_by COPY: what is in the place of the storage.
replace_by() {
  rm -rf "$token_storage"
  cp -a "$token_storage.$1" "$token_storage"
}

# While no process has the token open: what it keeps elsewhere.
forget() {
  [ "$name" != opencryptoki ] || rm -f /dev/shm/var.lib.opencryptoki.swtok
}

# At the end of a script, however it ends.
restore_storage() {
  [ -n "${token_storage-}" ] || return 0
  [ ! -e "$token_storage.away" ] || give_back
  rm -rf "$token_storage".{empty,older}
}

# --- The cases ---

# lost SINCE: what the daemon does that cannot reach its storage, in $seen. A key that it has not used gives its MAC, or
# it is NOT_SERVING.
lost() {
  if mac "$((unused++))"; then
    seen='goes on'
    [ "$(health)" = SERVING ] || die "$name: MACs are right, and the daemon is not SERVING"
  else
    await_health NOT_SERVING "$1"
    seen=NOT_SERVING
    say "  NOT_SERVING after $took ms"
  fi
}

# back KEY: the storage is given back, and every key is right.
back() {
  local since
  since=$(now)
  give_back
  await_health SERVING "$since"
  await_right "$since" "$1" 0 "$newer"
}

storage_away() {
  local since fresh=$unused
  since=$(now)
  take_away
  lost "$since"
  note DAEMON_AWAY "$seen"
  while [ $(($(now) - since)) -lt $(($1 * 1000)) ]; do sleep 0.05; done
  [ "$seen" != NOT_SERVING ] || [ "$(health)" = NOT_SERVING ] || die "$name: SERVING without its storage"
  back "$fresh"
  say "  storage away for $1 s: $seen; every key right $took ms after it was back"
}

storage_empty() {
  local since fresh=$unused before
  ask keys
  before=$answer
  since=$(now)
  take_away
  replace_by empty
  lost "$since"
  note DAEMON_EMPTY "$seen"
  ask keys "$before"
  back "$fresh"
  ask keys "$before"
  say "  an empty token: $seen; every key right $took ms after the storage was back"
}

storage_older() {
  local since fresh=$unused
  since=$(now)
  take_away
  lost "$since"
  replace_by older
  since=$(now)
  await_health SERVING "$since"
  await_right "$since" "$fresh"
  if [ "$seen" = NOT_SERVING ]; then
    seen='newer key refused'
    lacks "$newer"
  else
    mac "$newer" || die "$name: the newer key: $answer"
  fi
  note DAEMON_OLDER "$seen"
  say "  an older copy: $seen; older keys right after $took ms"
}

# Each token notices at the next start.
storage_started() {
  forget
  serve "$name" "$dir/hmacd.yaml"
  ask connect connected
  await_right "$(now)" 0
  lacks "$newer"
  note DAEMON_START_OLDER 'newer key refused'
  stop "$name"
  replace_by empty
  start_without DAEMON_START_EMPTY
  rm -r "$token_storage"
  start_without DAEMON_START_AWAY
  give_back
  forget
}

# start_without BEHAVIOUR: on a token without the daemon's keys. It does not serve.
start_without() {
  local limit=$((SECONDS + storage_limit))
  forget
  start "$name" "$dir/hmacd.yaml"
  until [ -n "$(health)" ] || ! kill -0 "$daemon" 2>/dev/null; do
    [ "$SECONDS" -lt "$limit" ] || die "$name: the daemon neither starts nor ends: $(tail -n 5 "$dir/hmacd.log")"
    sleep 0.02
  done
  if kill -0 "$daemon" 2>/dev/null; then
    note "$1" "$(health)"
    [ "$(health)" = NOT_SERVING ] || die "$name: the daemon is $(health) without its keys"
    stop "$name"
  else
    await_end "$dir"
    note "$1" "ends with $status"
  fi
}

storage_lost() {
  local since fresh=$unused
  sed '/^token:/a\  lost_after: 1s\n  exit_when_lost: true' "$dir/hmacd.yaml" >"$dir/storage.yaml"
  serve "$name" "$dir/storage.yaml"
  ask connect connected
  since=$(now)
  take_away
  lost "$since"
  if [ "$seen" = NOT_SERVING ]; then
    await_75
    seen='ends with 75'
    say "  away, with exit_when_lost: ended with $status after $(($(now) - since)) ms"
    give_back
    forget
    serve "$name" "$dir/storage.yaml"
    ask connect connected
  else
    say "  away, with exit_when_lost: $seen"
    give_back
  fi
  note DAEMON_LOST "$seen"
  await_right "$(now)" "$fresh" 0 "$newer"
}

# Another program destroys the key of the health check, which each token notices.
storage_destroyed() {
  local since
  cp -a "$token_storage" "$token_storage.away"
  quietly in_token "$name" pkcs11-tool --module "$token_tool" --token-label "$(token_label)" --login --pin "$token_pin" \
    --delete-object --type secrkey --label hmacd/own/probe
  since=$(now)
  await_health NOT_SERVING "$since"
  say "  key of the health check destroyed: NOT_SERVING after $took ms"
  await_75
  note DAEMON_DESTROYED 'NOT_SERVING, ends with 75'
  give_back
  forget
  serve "$name" "$dir/storage.yaml"
  ask connect connected
  await_right "$(now)" 0 "$newer"
  stop "$name"
}

# await_75: the daemon ends for its supervisor.
await_75() {
  await_end "$dir"
  [ "$status" = 75 ] || die "$name: the daemon ended with $status, and not with 75: $(tail -n 5 "$dir/hmacd.log")"
}

# The label as the configuration has it.
token_label() { sed -n "s/^  label: '\{0,1\}\([^']*\)'\{0,1\}$/\1/p" "$dir/hmacd.yaml"; }
