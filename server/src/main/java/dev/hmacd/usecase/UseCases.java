package dev.hmacd.usecase;

/// The use cases of all edges.
public record UseCases(
    MacService macs,
    KeyService keys,
    AliasService aliases,
    KeyStateService states,
    TagService tags,
    RandomService random,
    AccessKeyService accessKeys) {}
