package dev.hmacd.client;

import io.grpc.Status.Code;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/// Iterates over a list, and requests its pages on demand.
final class PagedIterator<T> implements Iterator<T> {
  private final Function<String, Page<T>> pageAt;
  private Iterator<T> page = List.<T>of().iterator();
  private final Set<String> pageTokens = new HashSet<>();
  private String nextPageToken = "";
  private boolean last;

  private PagedIterator(Function<String, Page<T>> pageAt) {
    this.pageAt = pageAt;
  }

  /// @param pageAt requests the page for a page token; the empty token stands for the first page
  static <T> Stream<T> stream(Function<String, Page<T>> pageAt) {
    return StreamSupport.stream(
        Spliterators.spliteratorUnknownSize(
            new PagedIterator<>(pageAt), Spliterator.ORDERED | Spliterator.NONNULL),
        false);
  }

  @Override
  public boolean hasNext() {
    while (!page.hasNext() && !last) { // An empty page may precede other pages.
      Page<T> next = pageAt.apply(nextPageToken);
      page = next.items().iterator();
      nextPageToken = next.nextPageToken();
      last = !pageTokens.add(nextPageToken) || nextPageToken.isEmpty();
      if (last && !nextPageToken.isEmpty()) { // The list would have no end.
        throw HmacdException.refused(
            ErrorReason.INVALID_PAGE_TOKEN, Code.INTERNAL, "the daemon repeated a page token");
      }
    }
    return page.hasNext();
  }

  @Override
  public T next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    return page.next();
  }
}
