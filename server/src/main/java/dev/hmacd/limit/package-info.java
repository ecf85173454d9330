/// Quotas that limit how much of a shared resource one owner can use.
@NullMarked
package dev.hmacd.limit;

import org.jspecify.annotations.NullMarked;
