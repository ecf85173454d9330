/// Published test cases of MACs, checked through a running daemon.
@NullMarked
package dev.hmacd.vectors;

import org.jspecify.annotations.NullMarked;
