/// The log: its formats, and rate limits of messages.
@NullMarked
package dev.hmacd.log;

import org.jspecify.annotations.NullMarked;
