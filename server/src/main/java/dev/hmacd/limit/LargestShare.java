package dev.hmacd.limit;

/// The largest share of a common resource, with its owner. For log lines.
///
/// @param owner a principal, or the name of a group of callers; its text is for log lines
/// @param held the amount that the owner holds
public record LargestShare(Object owner, long held) {}
