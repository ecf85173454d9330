/// Failures of files that the configuration names.
@NullMarked
package dev.hmacd.file;

import org.jspecify.annotations.NullMarked;
