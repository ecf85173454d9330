/// Programs that use the client in tests.
@NullMarked
package dev.hmacd.programs;

import org.jspecify.annotations.NullMarked;
