/// The log: its formats, rate limits of messages, and failures of scheduled tasks.
@NullMarked
package dev.hmacd.log;

import org.jspecify.annotations.NullMarked;
