/// Rate limits of log messages.
@NullMarked
package dev.hmacd.log;

import org.jspecify.annotations.NullMarked;
