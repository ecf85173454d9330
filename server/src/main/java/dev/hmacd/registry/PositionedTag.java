package dev.hmacd.registry;

import dev.hmacd.key.Tag;

/// A tag with its position in the list of its key's tags.
///
/// @param position greater than that of each earlier tag; 1 or more
public record PositionedTag(Tag tag, int position) {}
