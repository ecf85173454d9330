package dev.hmacd.config;

import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/// The TLS files of an edge, all PEM.
///
/// @param certificate the daemon's own certificate, followed by its chain
/// @param privateKey of the certificate, PKCS #8
/// @param clientCa the authorities of callers' certificates; empty if callers authenticate in
///   another way
public record TlsConfig(Path certificate, Path privateKey, Optional<Path> clientCa) {
  /// All files.
  public Stream<Path> files() {
    return Stream.concat(Stream.of(certificate, privateKey), clientCa.stream());
  }
}
