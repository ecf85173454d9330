package dev.hmacd.config;

import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/// The files of TLS, all PEM.
///
/// @param certificate the daemon's own, with the chain after it
/// @param privateKey of the certificate, PKCS #8
/// @param clientCa the authorities whose certificates callers must have; empty where callers
///   authenticate otherwise
public record TlsConfig(Path certificate, Path privateKey, Optional<Path> clientCa) {
  /// All of them.
  public Stream<Path> files() {
    return Stream.concat(Stream.of(certificate, privateKey), clientCa.stream());
  }
}
