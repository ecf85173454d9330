# Finds Java and runs it for hmacctl. A script sets lib to the folder of this file, and sources it.

# Sets java to the first of: $HMACD_JAVA; Java in the home in the file java-home; Java in $JAVA_HOME;
# the newest Java, 17 or newer, on the PATH or in /usr/lib/jvm.
find_java() {
  java=${HMACD_JAVA:-}
  if [ -n "$java" ]; then
    if [ -d "$java" ]; then java=$java/bin/java; fi
    if [ ! -x "$java" ]; then no_java "HMACD_JAVA is not an executable java: $java"; fi
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
  if [ -z "$java" ]; then no_java "no Java 17 or newer found"; fi
}

no_java() {
  echo "hmacctl: $1" >&2
  echo "hint: Install Java 17 or newer, or set HMACD_JAVA to its path." >&2
  exit 9
}

# Replaces this shell by Java. The arguments are more options, the class, and its arguments.
#
# The options shorten the start of hmacctl. Without the options, the JIT compiler took half of the
# start time, for code that runs only a few times. A fifth was for Netty's JFR events, its
# replacement of sun.misc.Unsafe, and the unpacking of BoringSSL. A Java without support for AOT
# caches, or with a cache of another Java, starts without the cache.
run_java() {
  # Java decodes its arguments with the encoding of the locale. A message is UTF-8.
  case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
    *[Uu][Tt][Ff]-8 | *[Uu][Tt][Ff]8) ;;
    *) export LC_ALL=C.UTF-8 ;;
  esac
  exec "$java" -XX:+IgnoreUnrecognizedVMOptions -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -XX:CompileThresholdScaling=5 -XX:-UsePerfData -Xlog:disable --enable-native-access=ALL-UNNAMED \
    -Ddev.hmacd.client.internal.io.netty.jfr.enabled=false -Dsun.misc.unsafe.memory.access=allow \
    -Djava.library.path="$lib" \
    -cp "$lib/hmacctl.jar" "$@"
}
