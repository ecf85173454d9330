/// Limits on one owner's part of a shared resource.
@NullMarked
package dev.hmacd.limit;

import org.jspecify.annotations.NullMarked;
