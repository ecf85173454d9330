/// Files that the configuration names: their permissions, and failures to use them.
@NullMarked
package dev.hmacd.file;

import org.jspecify.annotations.NullMarked;
