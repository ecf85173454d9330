# Finds Java and runs it for hmacctl. Sourced by scripts that have set lib, the directory of this file.

# Sets java: $HMACD_JAVA; else that of the home which the file java-home names; else that of $JAVA_HOME;
# else the newest of the one on the PATH and those in /usr/lib/jvm, which must be 17 or newer.
find_java() {
  java=${HMACD_JAVA:-}
  if [ -n "$java" ]; then
    if [ -d "$java" ]; then java=$java/bin/java; fi
    if [ ! -x "$java" ]; then no_java "HMACD_JAVA names no java that can be run: $java"; fi
    return
  fi
  if [ -r "$lib/java-home" ]; then
    read -r java <"$lib/java-home"
    java=$java/bin/java
    if [ -x "$java" ]; then return; fi
  fi
  java=${JAVA_HOME:-}/bin/java
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$java" ]; then return; fi

  java=
  newest=16
  on_path=$(command -v java) && on_path=$(readlink -f "$on_path")
  for candidate in "${on_path:-}" /usr/lib/jvm/*/bin/java; do
    if [ ! -x "$candidate" ]; then continue; fi
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "${candidate%/bin/java}/release" 2>/dev/null)
    if [ "${version:-0}" -gt "$newest" ]; then
      newest=$version
      java=$candidate
    fi
  done
  if [ -z "$java" ]; then no_java "no Java of version 17 or newer was found"; fi
}

no_java() {
  echo "hmacctl: $1" >&2
  echo "hint: Install one, or say with HMACD_JAVA where it is." >&2
  exit 9
}

# Runs java in place of this shell. The arguments are more options, the class, and the arguments of that.
#
# The options make the start short. Half of it was the compiler, for code that runs a few times only; and
# Netty's JFR events, its way around sun.misc.Unsafe and the unpacking of BoringSSL were a fifth. A Java that
# does not know the AOT cache, or finds that another Java made it, goes on without.
run_java() {
  # Java decodes its arguments by the locale, and a message is UTF-8.
  case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
    *[Uu][Tt][Ff]-8 | *[Uu][Tt][Ff]8) ;;
    *) export LC_ALL=C.UTF-8 ;;
  esac
  exec "$java" -XX:+IgnoreUnrecognizedVMOptions -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -XX:CompileThresholdScaling=5 -XX:-UsePerfData -Xlog:disable --enable-native-access=ALL-UNNAMED \
    -Dio.netty.jfr.enabled=false -Dsun.misc.unsafe.memory.access=allow -Djava.library.path="$lib" \
    -cp "$lib/hmacctl.jar" "$@"
}
