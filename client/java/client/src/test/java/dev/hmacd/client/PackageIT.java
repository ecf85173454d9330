package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.opentelemetry.api.OpenTelemetry;
import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.reflect.Executable;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;

/// The content of the packaged client: its jar and its POM.
class PackageIT {
  private static final String PRIVATE_PACKAGE = "dev.hmacd.client.internal.";
  private static final String SERVICES = "META-INF/services/";

  private static List<String> files() throws IOException {
    try (var jar = new JarFile(Application.CLIENT_JAR.toFile())) {
      return jar.stream().filter(file -> !file.isDirectory()).map(ZipEntry::getName).toList();
    }
  }

  private static ModuleDescriptor descriptor() {
    return ModuleFinder.of(Application.CLIENT_JAR)
        .find("dev.hmacd.client")
        .orElseThrow()
        .descriptor();
  }

  @Test
  void jarHasClassesOfHmacdOnly() throws IOException {
    assertThat(files())
        .contains("dev/hmacd/client/internal/io/grpc/Status.class")
        .allMatch(
            file ->
                file.startsWith("dev/hmacd/client/")
                    || file.startsWith("META-INF/")
                    || file.equals("module-info.class"));
    assertThat(files())
        .filteredOn(file -> file.endsWith(".class"))
        .noneMatch(file -> file.startsWith("META-INF/"));
  }

  @Test
  void jarHasNoNativeLibrary() throws IOException {
    assertThat(files()).noneMatch(file -> file.matches(".*\\.(so|dll|jnilib|dylib)"));
  }

  @Test
  void jarHasTheLicensesOfItsLibraries() throws IOException {
    assertThat(files())
        .contains("META-INF/LICENSE", "META-INF/NOTICE", "META-INF/licenses/protobuf.txt");
  }

  @Test
  void moduleIsAnOrdinaryModuleThatExportsThePublicPackagesOnly() {
    ModuleDescriptor descriptor = descriptor();
    assertThat(descriptor.isAutomatic()).isFalse();
    assertThat(descriptor.isOpen()).isFalse();
    assertThat(descriptor.opens()).isEmpty();
    assertThat(descriptor.exports())
        .allMatch(exports -> !exports.isQualified())
        .extracting(ModuleDescriptor.Exports::source)
        .containsExactlyInAnyOrder("dev.hmacd.client", "dev.hmacd.client.webhooks");
  }

  @Test
  void moduleRequiresModulesOfTheJdkOnly() {
    Set<String> jdk =
        ModuleFinder.ofSystem().findAll().stream()
            .map(module -> module.descriptor().name())
            .collect(Collectors.toSet());
    assertThat(descriptor().requires())
        .filteredOn(
            requires -> !requires.modifiers().contains(ModuleDescriptor.Requires.Modifier.STATIC))
        .extracting(ModuleDescriptor.Requires::name)
        .isNotEmpty()
        .allMatch(jdk::contains);
  }

  /// A newer gRPC can have other providers.
  @Test
  void moduleProvidesTheServicesOfTheClassPath() throws IOException {
    var classPath = new TreeMap<String, Set<String>>();
    try (var jar = new JarFile(Application.CLIENT_JAR.toFile())) {
      for (ZipEntry file : jar.stream().filter(PackageIT::isService).toList()) {
        String providers = new String(jar.getInputStream(file).readAllBytes(), UTF_8);
        classPath.put(
            file.getName().substring(SERVICES.length()),
            new TreeSet<>(providers.lines().filter(line -> !line.isBlank()).toList()));
      }
    }
    var module = new TreeMap<String, Set<String>>();
    descriptor()
        .provides()
        .forEach(provides -> module.put(provides.service(), new TreeSet<>(provides.providers())));
    assertThat(module).isNotEmpty().isEqualTo(classPath);
    assertThat(descriptor().uses()).isEqualTo(classPath.keySet());
  }

  private static boolean isService(ZipEntry file) {
    return file.getName().startsWith(SERVICES) && !file.isDirectory();
  }

  @Test
  void publicApiHasNoTypeOfTheLibraries() throws IOException {
    var types = new ArrayList<String>();
    URL[] jars = {
      Application.CLIENT_JAR.toUri().toURL(),
      OpenTelemetry.class.getProtectionDomain().getCodeSource().getLocation()
    };
    try (var loader = new URLClassLoader(jars, ClassLoader.getPlatformClassLoader())) {
      for (Class<?> type : publicClasses(loader)) {
        types.add(String.valueOf(type.getGenericSuperclass()));
        Stream.of(type.getDeclaredFields())
            .filter(field -> isApi(field.getModifiers()))
            .forEach(field -> types.add(field.toGenericString()));
        Stream.<Executable>concat(
                Stream.of(type.getDeclaredConstructors()), Stream.of(type.getDeclaredMethods()))
            .filter(member -> isApi(member.getModifiers()))
            .filter(member -> !(member instanceof Method method && method.isSynthetic()))
            .forEach(member -> types.add(member.toGenericString()));
      }
    }
    assertThat(types)
        .anyMatch(type -> type.contains("HmacdClient.generateMac("))
        .noneMatch(type -> type.contains(PRIVATE_PACKAGE));
  }

  private static boolean isApi(int modifiers) {
    return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
  }

  /// Whether other packages can use a type: it and the types around it are public or protected.
  private static boolean isPublic(Class<?> type) {
    Class<?> around = type.getEnclosingClass();
    return isApi(type.getModifiers()) && (around == null || isPublic(around));
  }

  private static List<Class<?>> publicClasses(ClassLoader loader) throws IOException {
    var classes = new ArrayList<Class<?>>();
    for (String file : files()) {
      if (file.matches("dev/hmacd/client/(?!internal/|package-info).*\\.class")) {
        try {
          Class<?> type =
              Class.forName(
                  file.substring(0, file.length() - ".class".length()).replace('/', '.'),
                  false,
                  loader);
          if (isPublic(type)) {
            classes.add(type);
          }
        } catch (ClassNotFoundException e) {
          throw new AssertionError(e);
        }
      }
    }
    return classes;
  }

  @Test
  void pomHasOptionalDependenciesOnly() throws IOException {
    String pom = Files.readString(Path.of(System.getProperty("hmacd.client.pom")));
    List<String> dependencies =
        Pattern.compile("<dependency>(.*?)</dependency>", Pattern.DOTALL)
            .matcher(pom)
            .results()
            .map(dependency -> dependency.group(1))
            .filter(dependency -> !dependency.contains("<scope>test</scope>"))
            .toList();
    assertThat(dependencies)
        .isNotEmpty()
        .allMatch(dependency -> dependency.contains("<optional>true</optional>"));
  }
}
