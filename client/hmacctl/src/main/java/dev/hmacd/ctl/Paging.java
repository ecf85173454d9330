package dev.hmacd.ctl;

import dev.hmacd.client.Page;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;

/// The paging options of a list: maximum number of items, page size, and start.
final class Paging {
  private static final Option MAX_ITEMS =
      Option.optional(
          "--max-items",
          "N",
          "The maximum number of items. NextToken in the answer continues the list. Default: all.");
  private static final Option PAGE_SIZE =
      Option.optional(
          "--page-size", "N", "Maximum number of items in a call. Default: the daemon's limit.");
  private static final Option STARTING_TOKEN =
      Option.optional("--starting-token", "TOKEN", "NextToken of the previous answer.");

  static final List<Option> OPTIONS = List.of(MAX_ITEMS, PAGE_SIZE, STARTING_TOKEN);

  private final int maxItems;
  private final int pageSize;
  private final String startingToken;

  /// @param maxPageSize maximum page size of the contract
  Paging(Arguments arguments, int maxPageSize) {
    this.maxItems = arguments.number(MAX_ITEMS, Integer.MAX_VALUE);
    this.pageSize = arguments.number(PAGE_SIZE, maxPageSize);
    this.startingToken = arguments.find(STARTING_TOKEN).orElse("");
  }

  static List<Option> optionsAnd(Option option) {
    return Stream.concat(Stream.of(option), OPTIONS.stream()).toList();
  }

  /// Requests pages until the maximum number of items is reached, or the list ends.
  ///
  /// @param name name of the list in the answer
  <T> Value list(String name, PageSource<T> pages, Function<T, Value> answer) {
    var items = new ArrayList<Value>();
    String token = startingToken;
    do {
      // The last page has at most the number of missing items, so that its token continues directly
      // after these items.
      Page<T> page = pages.page(Math.min(pageSize, maxItems - items.size()), token);
      page.items().forEach(item -> items.add(answer.apply(item)));
      token = page.nextPageToken();
    } while (items.size() < maxItems && !token.isEmpty());
    return Answers.list(name, items, token);
  }

  /// Requests a page from the daemon.
  interface PageSource<T> {
    Page<T> page(int pageSize, String pageToken);
  }
}
