package dev.hmacd.config;

import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/// The TLS files of an edge, in PEM format.
///
/// @param certificate the daemon's own certificate, followed by its chain
/// @param privateKey the private key of the certificate, in PKCS #8 format
/// @param clientCa the authorities that issue callers' certificates; empty if callers authenticate
///   in another way
public record TlsConfig(Path certificate, Path privateKey, Optional<Path> clientCa) {
  /// The paths of all TLS files.
  public Stream<Path> files() {
    return Stream.concat(Stream.of(certificate, privateKey), clientCa.stream());
  }
}
