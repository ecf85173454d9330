/// Keys as the daemon knows them: names, specs, states, and the registry that remembers them.
@NullMarked
package dev.hmacd.key;

import org.jspecify.annotations.NullMarked;
