/// The commands of `hmacd`: serve, init, check and dev.
@NullMarked
package dev.hmacd.command;

import org.jspecify.annotations.NullMarked;
