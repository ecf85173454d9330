package dev.hmacd.registry;

import dev.hmacd.key.Tag;

/// A tag with its position in the list of its key's tags.
///
/// @param position 1 or more; greater than the position of each tag that was added before
public record PositionedTag(Tag tag, int position) {}
