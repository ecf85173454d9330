/// Quotas of one owner in a shared resource.
@NullMarked
package dev.hmacd.limit;

import org.jspecify.annotations.NullMarked;
