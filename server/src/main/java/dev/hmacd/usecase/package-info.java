/// The use cases of all edges, and all kinds of failure.
@NullMarked
package dev.hmacd.usecase;

import org.jspecify.annotations.NullMarked;
