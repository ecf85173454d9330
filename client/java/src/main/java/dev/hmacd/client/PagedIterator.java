package dev.hmacd.client;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/// Iterates over a list in pages, and requests each page when it reaches it.
final class PagedIterator<T> implements Iterator<T> {
  private final Function<String, Page<T>> pageAt;
  private Iterator<T> page = List.<T>of().iterator();
  private String nextPageToken = "";
  private boolean last;

  private PagedIterator(Function<String, Page<T>> pageAt) {
    this.pageAt = pageAt;
  }

  /// @param pageAt requests the page of a token; the empty token is that of the first page
  static <T> Stream<T> stream(Function<String, Page<T>> pageAt) {
    return StreamSupport.stream(
        Spliterators.spliteratorUnknownSize(
            new PagedIterator<>(pageAt), Spliterator.ORDERED | Spliterator.NONNULL),
        false);
  }

  @Override
  public boolean hasNext() {
    while (!page.hasNext() && !last) { // a page may be empty and not be the last
      Page<T> next = pageAt.apply(nextPageToken);
      page = next.items().iterator();
      nextPageToken = next.nextPageToken();
      last = nextPageToken.isEmpty();
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
