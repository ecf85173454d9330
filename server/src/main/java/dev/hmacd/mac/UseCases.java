package dev.hmacd.mac;

/// Everything that the edges serve: one set for all of them.
public record UseCases(
    MacService macs,
    KeyService keys,
    AliasService aliases,
    KeyStateService states,
    TagService tags,
    RandomService random,
    AccessKeyService accessKeys) {}
