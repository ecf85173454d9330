package dev.hmacd.limit;

/// The owner that holds most of a shared resource.
///
/// @param owner a principal, or the name of a group of callers; its text is for log lines
/// @param held the amount that the owner holds
public record LargestOwner(Object owner, long held) {}
