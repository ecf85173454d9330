# shellcheck shell=bash disable=SC2154
# Makes tokens for tests, each from its folder in hsm-config, as an operator does. A script sources
# this file after lib.sh, which sets `root` and `scratch`.
#
# make_token NAME makes a new token in $tokens/NAME. The folder then has these files:
#   hmacd.yaml        the daemon's configuration, with the section `token` of hsm-config/NAME/token.yaml
#   environment       the environment variables of the module in hsm-config/NAME/token.conf: lines NAME=VALUE
#   token.properties  for tests: name, config, tool.module (the module for pkcs11-tool), storage (the folder or file with
#                     the keys), and env.NAME for each environment variable
# The daemon of a token runs until stop_token_daemons, which a script calls in at_exit.

# All tokens, in the order of the table. A module in front of SoftHSM2 has its own SoftHSM2 token.
# shellcheck disable=SC2034 # The scripts use it.
token_names=(softhsm2 kryoptic nss opencryptoki p11-kit caml-crush)

tokens=$scratch/tokens
libraries=/usr/lib/$(uname -m)-linux-gnu
softhsm=/usr/lib/softhsm/libsofthsm2.so
kryoptic_version=$(sed -n 's/^kryoptic = .*"=\([0-9.]*\)".*/\1/p' "$root/scripts/pins/kryoptic/Cargo.toml")
# Labels and PINs of PKCS#11 are UTF-8. A blank on the left is part of a label. The longest PIN of
# openCryptoki has 8 bytes.
token_label=' hmacd-ü'
token_uri_label=%20hmacd-%C3%BC # The same label in a PKCS#11 URI (RFC 7512).
token_pin='pün€1'
token_so_pin=31415926
umask go-w # hmacd check warns of files and folders that a group can write.
export LC_ALL=C.UTF-8 # In other locales, Java cannot pass such text to child processes.
token_daemons=()

# --- Packages ---

# need_tokens NAME...: installs the packages for the tokens at once.
need_tokens() {
  local name wanted=(pkcs11-tool=opensc softhsm2-util=softhsm2)
  for name; do
    case $name in
      nss)
        wanted+=("$libraries/libsoftokn3.so=libnss3" certutil=libnss3-tools cc=gcc /usr/include/stdio.h=libc6-dev)
        ;;
      opencryptoki) wanted+=(pkcsslotd=opencryptoki) ;;
      p11-kit) wanted+=(p11-kit=p11-kit "$libraries/pkcs11/p11-kit-client.so=p11-kit-modules") ;;
      caml-crush) wanted+=(pkcs11proxyd=caml-crush-server "$libraries/caml-crush/*.so=caml-crush-clients") ;;
    esac
  done
  need "${wanted[@]}"
  if [[ " $* " == *' kryoptic '* ]]; then
    need_kryoptic
    # hmacd check warns if a group can write a folder above the module, such as the clone.
    cp "$kryoptic" "$scratch/"
    kryoptic=$scratch/${kryoptic##*/}
  fi
}

# Prints the folder of libclang, for bindgen. libclang-cpp is another library, the C++ interface of
# clang.
libclang_folder() {
  local file
  for file in /usr/lib/llvm-*/lib/libclang.so* /usr/lib/llvm-*/lib/libclang-[0-9]*.so* \
    "$libraries"/libclang.so* "$libraries"/libclang-[0-9]*.so*; do
    if [ -e "$file" ]; then # A link may point to a file of a package that is not installed.
      say "${file%/*}"
      return
    fi
  done
  return 1
}

# Builds kryoptic once into .tools. No distribution has a package yet.
need_kryoptic() {
  kryoptic=$root/.tools/kryoptic/$kryoptic_version/libkryoptic_pkcs11.so
  [ ! -e "$kryoptic" ] || return 0
  local crate=$scratch/kryoptic built libclang
  need_rust 1.88
  need cc=gcc /usr/include/stdio.h=libc6-dev pkg-config=pkgconf /usr/include/openssl/evp.h=libssl-dev \
    /usr/include/sqlite3.h=libsqlite3-dev
  libclang_folder >/dev/null || apt_install libclang1
  libclang=$(libclang_folder) || die "no libclang in /usr/lib/llvm-*/lib or $libraries; bindgen needs it to build kryoptic"
  say "Building kryoptic $kryoptic_version (only once; about a minute)"
  mkdir -p "${kryoptic%/*}"
  cp -r "$root/scripts/pins/kryoptic" "$crate"
  # Without clang, libclang has no headers (stddef.h): it uses those of gcc.
  (
    cd "$crate"
    export "LIBCLANG_PATH=$libclang" "BINDGEN_EXTRA_CLANG_ARGS=-I$(cc -print-file-name=include)"
    "$root/scripts/cargo-lock" &&
      cargo build --quiet --release --locked
  ) >"$scratch/kryoptic.log" 2>&1 || {
    tail -n 40 "$scratch/kryoptic.log" >&2
    die "kryoptic does not build"
  }
  built=("$crate"/target/release/deps/libkryoptic_pkcs11-*.so)
  [ -e "${built[0]}" ] || die "kryoptic built no module"
  cp "${built[0]}" "$kryoptic.new"
  mv "$kryoptic.new" "$kryoptic"
}

# --- One token ---

# make_token NAME
make_token() {
  local name=$1 dir=$tokens/$1
  mkdir -p "$dir"
  mkdir -m 700 "$dir/registry"
  (umask 077 && printf '%s\n' "$token_pin" >"$dir/pin")
  place "$name" "$root/hsm-config/$name"
  sed -n 's/^Environment=//p' "$dir/token.conf" >"$dir/environment" 2>/dev/null || : >"$dir/environment"
  {
    sed "s/^  label: hmacd\$/  label: '$token_label'/" "$dir/token.yaml"
    cat <<EOF
grpc: {unix_socket: {path: hmacd.sock}}
registry: {path: registry/registry.db}
arn: {region: eu-central-1, account: "000000000000"}
access: {rules: [{principals: ["uid:$(id -u)"], actions: ["*"], keys: ["*"]}]}
EOF
  } >"$dir/hmacd.yaml"
  token_title=$name
  token_storage=$dir/tokens
  token_tool=$(sed -n 's/^  module: //p' "$dir/token.yaml")
  [ -e "$token_tool" ] || die "$name: there is no $token_tool"
  "token_${name//-/_}" "$dir"
  {
    printf 'name = %s\nconfig = %s\ntool.module = %s\n' "$token_title" "$dir/hmacd.yaml" "$token_tool"
    printf 'storage = %s\n' "$token_storage"
    sed 's/^\([A-Z0-9_]*\)=/env.\1 = /' "$dir/environment"
    # NSS frees uninitialised memory if it cannot read the key's value.
    [ "$name" != nss ] || say 'logged-out.use = crashes'
  } >"$dir/token.properties"
}

# place NAME FOLDER: copies the files of a folder, and replaces the paths of an installed
# system by paths in the token's folder.
place() {
  local dir=$tokens/$1 file
  for file in "$2"/*; do
    sed -e "s|/run/credentials/hmacd.service/token-pin|$dir/pin|g" \
      -e "s#/\(etc\|var/lib\|run\)/\(hmacd\|hmacd-token\|pkcs11proxyd\)/#$dir/#g" \
      -e "s|/usr/local/lib/libkryoptic_pkcs11.so|${kryoptic-}|g; s|/usr/lib/x86_64-linux-gnu/|$libraries/|g" \
      "$file" >"$dir/${file##*/}"
  done
}

# in_token NAME COMMAND...: runs a command with the environment variables of the token's module.
in_token() {
  local environment
  mapfile -t environment <"$tokens/$1/environment"
  shift
  env "${environment[@]}" "$@"
}

# quietly COMMAND...: runs a command, and prints its output only if it fails.
quietly() {
  "$@" >"$scratch/quietly.log" 2>&1 || {
    cat "$scratch/quietly.log" >&2
    die "failed: $*"
  }
}

# init_token NAME MODULE [OPTION...]: gives an empty token its label and PINs.
init_token() {
  local name=$1 module=$2
  shift 2
  quietly in_token "$name" pkcs11-tool --module "$module" "$@" --init-token --label "$token_label" --so-pin "$token_so_pin"
  quietly in_token "$name" pkcs11-tool --module "$module" --token-label "$token_label" --login --login-type so \
    --so-pin "$token_so_pin" --init-pin --new-pin "$token_pin"
}

# start_token_daemon DIR COMMAND...: starts a daemon in its own process group. It runs until
# stop_token_daemons.
start_token_daemon() {
  local dir=$1
  shift
  setsid "$@" </dev/null >>"$dir/daemon.log" 2>&1 &
  token_daemons+=("$!")
}

# await_daemon DIR COMMAND...: waits until the command succeeds, after the start of a token's
# daemon.
await_daemon() {
  local dir=$1 limit=$((SECONDS + 30))
  shift
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "${token_daemons[-1]}" 2>/dev/null || [ "$SECONDS" -ge "$limit" ]; then
      tail -n 20 "$dir/daemon.log" >&2
      die "the daemon of this token did not start, see above"
    fi
    sleep 0.05
  done
}

# Kills the daemon that was started last.
kill_transport() {
  local pid=${token_daemons[-1]}
  unset 'token_daemons[-1]'
  kill -KILL -- "-$pid"
  wait "$pid" 2>/dev/null || true
}

stop_token_daemons() {
  local pid
  for pid in "${token_daemons[@]}"; do
    kill -- "-$pid" 2>/dev/null || kill "$pid" 2>/dev/null || true
  done
  token_daemons=()
}

# --- Each token: token_NAME DIR makes it; storage_NAME DIR makes its empty storage only ---

token_softhsm2() {
  token_title='SoftHSM2'
  storage_softhsm2 "$1"
}

storage_softhsm2() {
  mkdir "$1/tokens"
  init_token softhsm2 "$softhsm"
}

token_kryoptic() {
  token_title='kryoptic'
  token_storage=$1/token.sql
  storage_kryoptic "$1"
}

storage_kryoptic() {
  init_token kryoptic "$kryoptic" --slot 1
}

token_nss() {
  token_title='NSS'
  token_storage=$1/nss
  storage_nss "$1"
  # pkcs11-tool cannot pass an argument to C_Initialize. A module in front of NSS passes it.
  quietly cc -std=c11 -Wall -Wextra -Wpedantic -Werror -O2 -shared -fPIC -o "$1/init_args.so" "$root/server/src/test/c/init_args.c"
  printf 'INIT_ARGS_MODULE=%s\nINIT_ARGS=%s\n' "$token_tool" "$(sed -n 's/^  init_args: "\(.*\)"$/\1/p' "$1/token.yaml")" \
    >>"$1/environment"
  token_tool=$1/init_args.so
}

storage_nss() {
  mkdir "$1/nss"
  quietly certutil -N -d "sql:$1/nss" -f "$1/pin"
}

opencryptoki_token=hmacd-tést

# The tokens and the daemon of openCryptoki belong to the machine: the tests do not touch a token of
# another program.
token_opencryptoki() {
  token_title='openCryptoki'
  token_storage=/var/lib/opencryptoki/swtok
  sed -i "s/^  label: .*/  label: '$opencryptoki_token'/" "$1/token.yaml" "$1/hmacd.yaml"
  if ! pkcsconf -t -c 3 >/dev/null 2>&1; then
    if pgrep -x pkcsslotd >/dev/null; then
      die "openCryptoki: pkcsslotd is running, and slot 3 has no token. Test on a machine without a pkcsslotd."
    fi
    rm -f /run/pkcsslotd.pid # A file of an earlier daemon. The new daemon writes its own late.
    quietly pkcsslotd
    # pkcsslotd forks: its pid is in the file only.
    timeout 30 sh -c 'until [ -s /run/pkcsslotd.pid ]; do sleep 0.05; done' || die "openCryptoki: pkcsslotd did not start"
    token_daemons+=("$(cat /run/pkcsslotd.pid)")
    await_daemon "$1" pkcsconf -t -c 3
  fi
  # A second initialization needs the old PINs, so the script removes the files of a token of
  # earlier tests.
  if [[ "$(opencryptoki_label)" =~ ^(hmacd-test|"$opencryptoki_token")$ ]]; then # hmacd-test is an earlier label.
    rm -rf /var/lib/opencryptoki/swtok/{MK_SO,MK_USER,NVTOK.DAT} /var/lib/opencryptoki/swtok/TOK_OBJ/*
  fi
  [ "$(opencryptoki_label)" = 'IBM OS PKCS#11' ] ||
    die "openCryptoki: slot 3 has a token $(opencryptoki_label) of another program. Test on a machine without it."
  storage_opencryptoki
}

storage_opencryptoki() {
  if [ ! -d "$token_storage" ]; then
    mkdir -p "$token_storage/TOK_OBJ"
    chmod 770 "$token_storage" "$token_storage/TOK_OBJ"
    chown root:pkcs11 "$token_storage" "$token_storage/TOK_OBJ"
  fi
  quietly pkcsconf -I -c 3 -S 87654321 <<<"$opencryptoki_token"
  quietly pkcsconf -P -c 3 -S 87654321 -n "$token_so_pin"
  quietly pkcsconf -u -c 3 -S "$token_so_pin" -n 12345670
  quietly pkcsconf -p -c 3 -U 12345670 -n "$token_pin"
}

opencryptoki_label() {
  pkcsconf -t -c 3 | sed -n 's/^\t*Label: *\(.*[^ ]\) *$/\1/p'
}

# softhsm2_behind NAME DIR: makes a SoftHSM2 token behind another module. The daemon does not get
# its SOFTHSM2_CONF.
softhsm2_behind() {
  local front=()
  mkdir "$2/tokens"
  mapfile -t front <"$2/environment"
  printf 'SOFTHSM2_CONF=%s\n' "$2/softhsm2.conf" >"$2/environment"
  init_token "$1" "$softhsm"
  printf '%s\n' "${front[@]}" >"$2/environment"
}

token_p11_kit() {
  token_title='p11-kit to SoftHSM2'
  softhsm2_behind p11-kit "$1"
  transport_p11_kit "$1"
}

# transport_NAME DIR: starts the server between the daemon and the token.
transport_p11_kit() {
  local server
  rm -f "$1/p11-kit.sock"
  server=$(sed -n 's/^ExecStart=//p' "$1/p11-kit-server.service")
  server=${server/token=hmacd/token=$token_uri_label}
  # shellcheck disable=SC2086 # systemd splits the command, too.
  start_token_daemon "$1" env "SOFTHSM2_CONF=$1/softhsm2.conf" $server
  await_daemon "$1" test -S "$1/p11-kit.sock"
}

token_caml_crush() {
  local port
  token_title='Caml Crush to SoftHSM2'
  softhsm2_behind caml-crush "$1"
  port=$(free_port)
  sed -i "s/:4444/:$port/" "$1/environment" "$1/pkcs11proxyd.conf"
  # Replaces the user and the log of Debian's configuration.
  sed -i -e "s|type = \"syslog\"|type = \"stderr\"|" \
    -e "s/Debian-pkcs11proxyd\";/$(id -un)\";/; s/\(group = \"\).*\";/\1$(id -gn)\";/" "$1/pkcs11proxyd.conf"
  transport_caml_crush "$1"
}

transport_caml_crush() {
  mkdir -p "$1/.netplex"
  start_token_daemon "$1" env "SOFTHSM2_CONF=$1/softhsm2.conf" pkcs11proxyd -fg -conf "$1/pkcs11proxyd.conf"
  await_daemon "$1" in_token caml-crush pkcs11-tool --module "$token_tool" --list-token-slots
}

# Prints a free port of this machine.
free_port() {
  local port
  for ((;;)); do
    port=$((20000 + RANDOM % 12000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  say "$port"
}
