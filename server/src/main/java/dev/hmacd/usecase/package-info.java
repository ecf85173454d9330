/// The use cases, which all edges share, and all kinds of failure.
@NullMarked
package dev.hmacd.usecase;

import org.jspecify.annotations.NullMarked;
