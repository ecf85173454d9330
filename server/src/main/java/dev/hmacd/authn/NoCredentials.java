package dev.hmacd.authn;

/// The absence of credentials. Authentication refuses each call without credentials.
public record NoCredentials() implements Credentials {}
