package dev.hmacd.config;

import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/// Reads the sections `grpc` and `aws_kms` of the configuration file.
final class EdgeSections {
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Duration DAY = Duration.ofHours(24);

  /// Default of `max_message_bytes`, if `max_request_bytes` permits it.
  private static final int DEFAULT_MESSAGE_BYTES = 65_536;

  /// Bound on all fields of a MAC request but the message, in bytes: a key id of 2048 characters in
  /// UTF-8, a MAC of 6144 bytes, and the field numbers.
  private static final int OTHER_FIELDS_BYTES = 16_384;

  private EdgeSections() {}

  /// Reads the section `grpc`.
  static Config.Grpc grpc(Section section) {
    String listen = section.string("listen", "");
    Optional<Config.TcpListener> tcp =
        section.has("listen") ? Optional.of(tcp(section, listen)) : Optional.empty();
    if (tcp.isEmpty() && section.optionalSection("tls").isPresent()) {
      section.problem("tls", "requires listen, the address of the TCP listener");
    }
    Optional<Config.UnixSocket> unix =
        section.optionalSection("unix_socket").map(EdgeSections::unix);
    if (tcp.isEmpty() && unix.isEmpty()) {
      section.problem("listen", "is missing; configure listen or unix_socket");
    }
    Config.Grpc grpc =
        new Config.Grpc(
            tcp, unix, section.bool("reflection", false), limits(section.defaulted("limits")));
    section.done();
    return grpc;
  }

  private static Config.TcpListener tcp(Section section, String listen) {
    Section tls = section.section("tls");
    TlsConfig files =
        new TlsConfig(
            tls.requiredPath("certificate"),
            tls.requiredPath("private_key"),
            Optional.of(tls.requiredPath("client_ca")));
    tls.done();
    return new Config.TcpListener(section.address("listen", listen), files);
  }

  /// Reads a section `unix_socket`.
  static Config.UnixSocket unix(Section section) {
    Path path = section.requiredPath("path");
    int longest = Config.UnixSocket.MAX_PATH_BYTES;
    if (path.toString().getBytes(StandardCharsets.UTF_8).length > longest) {
      section.problem(
          "path", "must be at most " + longest + " bytes long, for the kernel's limit: " + path);
    }
    Set<PosixFilePermission> mode =
        section
            .parsed("mode", section.string("mode", "rw-rw----"), EdgeSections::mode)
            .orElse(Set.of());
    section.done();
    return new Config.UnixSocket(path, mode);
  }

  private static Set<PosixFilePermission> mode(String text) {
    try {
      return PosixFilePermissions.fromString(text);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("must be permissions in the form rw-rw----", e);
    }
  }

  private static Config.Limits limits(Section section) {
    int maxRequestBytes = section.number("max_request_bytes", 131_072, 16_384, 1 << 24);
    Config.Limits limits =
        new Config.Limits(
            maxRequestBytes,
            maxMessageBytes(section, maxRequestBytes),
            section.number("max_incomplete_bytes", 1 << 24, 262_144, 1 << 30),
            section.number("max_metadata_bytes", 8192, 1024, 1 << 20),
            section.number("max_streams_per_connection", 256, 1, 100_000),
            section.number("max_connections", 16_384, 1, 1_000_000),
            section.number("max_handshakes", 512, 1, 100_000),
            section.duration("handshake_timeout", Duration.ofSeconds(10), SECOND, DAY),
            section.duration("transfer_timeout", Duration.ofSeconds(10), SECOND, DAY),
            section.duration("max_call_time", Duration.ofSeconds(10), Duration.ofMillis(10), DAY),
            section.duration("connection_idle", Duration.ofMinutes(30), SECOND, DAY),
            section.duration("connection_age", Duration.ofHours(6), SECOND, Duration.ofDays(30)),
            section.duration("keep_alive", Duration.ofSeconds(60), SECOND, DAY),
            section.duration("keep_alive_timeout", Duration.ofSeconds(20), SECOND, DAY),
            section.duration("min_client_keep_alive", Duration.ofSeconds(5), SECOND, DAY),
            section.duration("drain", Duration.ofSeconds(20), Duration.ofMillis(100), DAY));
    // The pieces of a partially received request need up to 9/8 of its size in memory.
    int longest = limits.maxRequestBytes() + limits.maxRequestBytes() / 8;
    if (limits.maxIncompleteBytes() < longest) {
      section.problem(
          "max_incomplete_bytes", "must be " + longest + " or more: 9/8 of max_request_bytes");
    }
    section.done();
    return limits;
  }

  /// The longest message is a part of a request. The least maximum is that of AWS KMS, so that a
  /// message that one edge accepts is not too long for the other.
  private static int maxMessageBytes(Section section, int maxRequestBytes) {
    int least = Config.Limits.MIN_MESSAGE_BYTES;
    int most = Math.max(least, maxRequestBytes - OTHER_FIELDS_BYTES);
    int bytes =
        section.number(
            "max_message_bytes",
            Math.min(DEFAULT_MESSAGE_BYTES, most),
            least,
            Config.Limits.MAX_MESSAGE_BYTES);
    if (bytes > most) {
      section.problem(
          "max_message_bytes",
          "must be at most "
              + most
              + ": max_request_bytes, less "
              + OTHER_FIELDS_BYTES
              + " bytes for the other fields of a request");
    }
    return bytes;
  }

  /// Reads the section `aws_kms`.
  static Config.AwsKms awsKms(Section section) {
    InetSocketAddress listen =
        section.address("listen", section.string("listen", "127.0.0.1:8553"));
    Optional<TlsConfig> tls =
        section
            .optionalSection("tls")
            .map(
                files -> {
                  var config =
                      new TlsConfig(
                          files.requiredPath("certificate"),
                          files.requiredPath("private_key"),
                          Optional.empty());
                  files.done();
                  return config;
                });
    if (tls.isEmpty() && !listen.getAddress().isLoopbackAddress()) {
      section.problem(
          "listen",
          "must be a loopback address if tls is missing: messages and MACs would be readable");
    }
    Config.AwsKms awsKms = new Config.AwsKms(listen, tls, awsLimits(section.defaulted("limits")));
    section.done();
    return awsKms;
  }

  private static Config.AwsLimits awsLimits(Section section) {
    Config.AwsLimits limits =
        new Config.AwsLimits(
            section.number("max_header_bytes", 16_384, 2048, 1 << 20),
            section.number("max_body_bytes", 262_144, 16_384, 1 << 24),
            section.number("max_buffered_bytes", 1 << 25, 1 << 20, 1 << 30),
            section.number("max_requests", 4096, 1, 1_000_000),
            section.number("max_requests_per_connection", 128, 1, 100_000),
            section.number("max_connections", 4096, 1, 1_000_000),
            section.number("max_unauthenticated", 512, 1, 100_000),
            section.duration("handshake_timeout", Duration.ofSeconds(10), SECOND, DAY),
            section.duration("request_timeout", Duration.ofSeconds(10), SECOND, DAY),
            section.duration("max_call_time", Duration.ofSeconds(10), Duration.ofMillis(10), DAY),
            section.duration("connection_idle", Duration.ofMinutes(5), SECOND, DAY));
    if (limits.maxBufferedBytes() < limits.maxBodyBytes()) {
      section.problem(
          "max_buffered_bytes", "must be max_body_bytes (" + limits.maxBodyBytes() + ") or more");
    }
    section.done();
    return limits;
  }
}
