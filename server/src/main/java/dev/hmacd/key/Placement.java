package dev.hmacd.key;

import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;

/// The object of a key version on the tokens that hold it. Immutable.
///
/// @param object the object's label and id, which are the same on all tokens
/// @param tokenSerials the tokens that hold the object, one or more; the key version was created or
///   adopted on the first one
public record Placement(KeyObject object, List<String> tokenSerials) {
  public Placement {
    tokenSerials = List.copyOf(tokenSerials);
    if (tokenSerials.isEmpty()) {
      throw new IllegalArgumentException("object " + object + " must have at least one token");
    }
  }

  /// The token on which the object was created or adopted.
  public String firstSerial() {
    return tokenSerials.getFirst();
  }

  /// The further tokens that hold the object.
  public List<String> otherSerials() {
    return tokenSerials.subList(1, tokenSerials.size());
  }

  /// The same object on further tokens.
  public Placement alsoOn(Collection<String> more) {
    return on(Stream.concat(tokenSerials.stream(), more.stream()));
  }

  /// The same object without one of its tokens. The first token stays.
  public Placement notOn(String serial) {
    return on(
        tokenSerials.stream().filter(each -> each.equals(firstSerial()) || !each.equals(serial)));
  }

  /// The same object, with another serial number of one of its tokens.
  public Placement renamed(String before, String now) {
    return on(tokenSerials.stream().map(each -> each.equals(before) ? now : each));
  }

  private Placement on(Stream<String> serials) {
    return new Placement(object, serials.distinct().toList());
  }
}
