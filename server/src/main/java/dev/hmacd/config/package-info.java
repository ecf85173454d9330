/// The configuration file, read into records.
@NullMarked
package dev.hmacd.config;

import org.jspecify.annotations.NullMarked;
