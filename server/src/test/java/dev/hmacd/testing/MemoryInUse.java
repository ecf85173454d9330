package dev.hmacd.testing;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.atomic.AtomicReference;

/// Memory that this process has allocated and not freed, including the tests. Unlike the resident
/// size, this does not depend on the time at which memory is returned to the kernel.
///
/// @param heapKib memory of reachable objects
/// @param nativeKib memory from `malloc`, for the JVM and the PKCS#11 modules in it
public record MemoryInUse(long heapKib, long nativeKib) {
  /// `struct mallinfo2` of glibc: ten fields of type `size_t`.
  private static final MemoryLayout MALLINFO2 =
      MemoryLayout.sequenceLayout(10, ValueLayout.JAVA_LONG);

  private static final int HBLKHD = 4;
  private static final int UORDBLKS = 7;

  private static final MethodHandle MALLINFO = mallinfo();

  @SuppressWarnings("restricted") // Only a native call reads malloc's statistics.
  private static MethodHandle mallinfo() {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(
        linker.defaultLookup().findOrThrow("mallinfo2"),
        FunctionDescriptor.of(MemoryLayout.structLayout(MALLINFO2)));
  }

  /// The minimum of several measurements, to exclude temporary memory of the compiler and the
  /// garbage collector.
  public static MemoryInUse least() {
    MemoryInUse least = now();
    for (int i = 0; i < 10; i++) {
      MemoryInUse now = now();
      least =
          new MemoryInUse(
              Math.min(least.heapKib, now.heapKib), Math.min(least.nativeKib, now.nativeKib));
    }
    return least;
  }

  private static MemoryInUse now() {
    System.gc();
    Runtime runtime = Runtime.getRuntime();
    return new MemoryInUse(
        (runtime.totalMemory() - runtime.freeMemory()) / 1024, allocated() / 1024);
  }

  private static long allocated() {
    try (Arena arena = Arena.ofConfined()) {
      var info = (MemorySegment) MALLINFO.invokeExact((SegmentAllocator) arena);
      return info.getAtIndex(ValueLayout.JAVA_LONG, UORDBLKS)
          + info.getAtIndex(ValueLayout.JAVA_LONG, HBLKHD);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  public MemoryInUse plusKib(long moreHeap, long moreNative) {
    return new MemoryInUse(heapKib + moreHeap, nativeKib + moreNative);
  }

  /// Waits until the memory in use is at most this. Memory of the compiler and the garbage
  /// collector is temporary; a leak is permanent.
  ///
  /// @return the memory in use
  public MemoryInUse awaitWithin() {
    var last = new AtomicReference<>(now());
    try {
      Eventually.holds(
          "the memory in use is at most " + this,
          () -> {
            MemoryInUse now = now();
            last.set(now);
            return now.heapKib <= heapKib && now.nativeKib <= nativeKib;
          });
    } catch (AssertionError e) {
      throw new AssertionError(e.getMessage() + ", but " + last.get(), e);
    }
    return last.get();
  }
}
