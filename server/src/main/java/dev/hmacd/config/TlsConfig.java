package dev.hmacd.config;

import java.nio.file.Path;

/// The files of mutual TLS, all PEM.
///
/// @param certificate the daemon's own, with the chain after it
/// @param privateKey of the certificate, PKCS #8
/// @param clientCa the authorities whose certificates callers must have
public record TlsConfig(Path certificate, Path privateKey, Path clientCa) {}
