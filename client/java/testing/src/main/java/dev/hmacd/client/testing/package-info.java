/// A fake of hmacd for tests. Start at [dev.hmacd.client.testing.FakeHmacd].
@NullMarked
package dev.hmacd.client.testing;

import org.jspecify.annotations.NullMarked;
