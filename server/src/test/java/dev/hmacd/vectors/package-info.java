/// Known MACs: what others have published, checked through a running daemon.
@NullMarked
package dev.hmacd.vectors;

import org.jspecify.annotations.NullMarked;
