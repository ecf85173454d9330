package dev.hmacd.client.spring;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/// The settings of the client.
///
/// @param targets Daemons to call: 1 to 16 of host:port or unix:/absolute/path. Required.
/// @param ca PEM file with the authorities of the daemons' certificates. Required for host:port.
/// @param certificate PEM file with the client's certificate chain. Required for host:port.
/// @param privateKey PEM file with the client's private key, not encrypted. Required for host:port.
/// @param timeout Time limit of a call, including its retries; more than 0 s.
/// @param attemptTimeout Time limit of one attempt while another target is usable; more than 0 s.
/// @param maxMessageBytes Maximum length of a message in bytes; 1 or more.
/// @param fileInterval Period of the check of the PEM files, 1 s to 5 s.
@ConfigurationProperties("hmacd")
record HmacdProperties(
    @DefaultValue List<String> targets,
    @Nullable Path ca,
    @Nullable Path certificate,
    @Nullable Path privateKey,
    @DefaultValue("5s") Duration timeout,
    @DefaultValue("1s") Duration attemptTimeout,
    @DefaultValue("65536") int maxMessageBytes,
    @DefaultValue("2s") Duration fileInterval) {}
