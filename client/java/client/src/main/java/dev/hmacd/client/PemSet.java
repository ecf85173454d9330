package dev.hmacd.client;

import java.io.IOException;
import java.nio.file.Path;

/// The three PEM files of mutual TLS, as they were read together.
///
/// @param ca certificates of the authorities of the daemons' certificates
/// @param certificate the client's certificate chain
/// @param key the client's private key
record PemSet(PemFile ca, PemFile certificate, PemFile key) {
  /// @throws IllegalArgumentException if a file is too long
  /// @throws IOException if a file cannot be read
  static PemSet read(Path ca, Path certificate, Path key) throws IOException {
    return new PemSet(PemFile.read(ca), PemFile.read(certificate), PemFile.read(key));
  }

  boolean hasContentOf(PemSet other) {
    return ca.hasContentOf(other.ca)
        && certificate.hasContentOf(other.certificate)
        && key.hasContentOf(other.key);
  }
}
