/// `javax.crypto.Mac` with keys of hmacd. Start at [dev.hmacd.jca.HmacdProvider].
@NullMarked
package dev.hmacd.jca;

import org.jspecify.annotations.NullMarked;
