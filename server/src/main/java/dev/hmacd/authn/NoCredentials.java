package dev.hmacd.authn;

/// The credentials of a caller that presents none. They are never valid.
public record NoCredentials() implements Credentials {}
