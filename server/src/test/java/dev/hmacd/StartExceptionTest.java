package dev.hmacd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.hmacd.file.FileException;
import dev.hmacd.key.ArnScope;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.TokenException;
import dev.hmacd.transport.ListenException;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// The exit code of each kind of failure that a start foresees. A refused PIN and the other kinds
/// of registry failures need a process: ProcessTest and StartFailureTest have them.
final class StartExceptionTest {
  private static final ArnScope SCOPE = new ArnScope("aws", "eu-central-1", "123456789012");
  private static final InetSocketAddress ADDRESS =
      new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 8443);

  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource
  void failureOfTheTokenIsTemporary(TokenException.Kind kind) {
    StartException failure = StartException.of(new TokenException(kind, "the reason"));
    assertThat(failure.exitCode()).isEqualTo(ExitCode.TEMPORARY);
    assertThat(failure).hasMessage("the reason");
  }

  @ParameterizedTest
  @CsvSource({
    "Address already in use, Address already in use, TEMPORARY",
    "bind(..) failed with error(-98): Address already in use, Address already in use, TEMPORARY",
    "Cannot assign requested address, Cannot assign requested address, TEMPORARY",
    "cannot assign requested address, Cannot assign requested address, TEMPORARY",
    "bind(..) failed: Permission denied, Permission denied, CONFIG",
    "Permission denied, Permission denied, CONFIG"
  })
  void failureToListenNamesAddressAndRemedy(String message, String reason, ExitCode exitCode) {
    IOException cause = new IOException("bind", new BindException(message));
    StartException failure = StartException.of(ListenException.of("grpc.listen", ADDRESS, cause));
    assertThat(failure.exitCode()).isEqualTo(exitCode);
    assertThat(failure)
        .hasMessageContaining("127.0.0.1:8443: " + reason + "; ")
        .hasMessageEndingWith("change grpc.listen");
  }

  @ParameterizedTest
  @CsvSource({
    "No such file or directory, create the folder",
    "Permission denied, give the daemon's user write permission to the folder"
  })
  void failureOfAUnixSocketNamesItsFolder(String reason, String remedy) {
    IOException cause = new IOException("bind", new BindException(reason));
    assertThat(ListenException.of("grpc.unix_socket.path", folder, cause))
        .hasMessage(
            "cannot listen on "
                + folder
                + ": "
                + reason
                + "; "
                + remedy
                + ", or change grpc.unix_socket.path");
  }

  @Test
  void socketOfAnotherProcessIsTemporary() {
    StartException failure =
        StartException.of(ListenException.taken("grpc.unix_socket.path", folder));
    assertThat(failure.exitCode()).isEqualTo(ExitCode.TEMPORARY);
    assertThat(failure).hasMessageContaining(folder.toString());
  }

  @Test
  void unusableAddressNeedsAnOperator() {
    StartException failure =
        StartException.of(
            ListenException.unusable("grpc.unix_socket.path", folder, "it is a folder", null));
    assertThat(failure.exitCode()).isEqualTo(ExitCode.CONFIG);
  }

  @Test
  void unusableFileNeedsAnOperator() {
    FileException cause =
        FileException.unreadable("grpc.tls.client_ca", folder, new NoSuchFileException("ca.pem"));
    StartException failure = StartException.of(cause);
    assertThat(failure.exitCode()).isEqualTo(ExitCode.CONFIG);
    assertThat(failure).hasMessage(cause.getMessage());
  }

  @Test
  void registryInUseIsTemporary() {
    Path file = folder.resolve("registry.db");
    try (var user = new Registry(file, SCOPE, Clock.systemUTC())) {
      user.open();
      assertThat(failureToOpen(file).exitCode()).isEqualTo(ExitCode.TEMPORARY);
    }
  }

  @Test
  void unusableRegistryNeedsAnOperator() {
    assertThat(failureToOpen(folder).exitCode()).isEqualTo(ExitCode.CONFIG);
  }

  private static StartException failureToOpen(Path file) {
    try (var store = new Registry(file, SCOPE, Clock.systemUTC())) {
      RegistryException failure = catchThrowableOfType(RegistryException.class, store::open);
      assertThat(StartException.of(new CompletionException(failure)).exitCode())
          .isEqualTo(StartException.of(failure).exitCode());
      return StartException.of(failure);
    }
  }

  @Test
  void unexpectedFailureOfTheRegistryIsNotAStartException() {
    var unexpected = new CompletionException(new IllegalStateException("unexpected"));
    assertThatThrownBy(() -> StartException.of(unexpected)).isSameAs(unexpected);
  }
}
