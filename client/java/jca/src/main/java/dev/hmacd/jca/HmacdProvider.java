package dev.hmacd.jca;

import java.security.InvalidParameterException;
import java.security.Provider;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A provider of JCA with the algorithms `HmacSHA224`, `HmacSHA256`, `HmacSHA384` and `HmacSHA512`
/// of `javax.crypto.Mac`. Thread-safe.
///
/// ```java
/// Security.addProvider(new HmacdProvider()); // the last provider: others keep their keys
/// Mac mac = Mac.getInstance("HmacSHA256");
/// mac.init(new HmacdSecretKey(key));
/// byte[] tag = mac.doFinal(message);
/// ```
///
/// `Mac.init` selects the provider by the key: this one for an [HmacdSecretKey], and never for
/// another key. A `Mac` buffers its message, and `doFinal` makes one call. A failed call is an
/// [HmacdMacException]. An empty message fails, because hmacd refuses it.
///
/// To verify, call `HmacdKey.verify`, which compares the MACs in the daemon. If code needs the MAC
/// itself, compare it with `MessageDigest.isEqual`. `Arrays.equals` reveals in its time how many
/// bytes are right.
public final class HmacdProvider extends Provider {
  private static final long serialVersionUID = 1;

  /// Creates the provider. It has no state: each key has its client.
  public HmacdProvider() {
    super("Hmacd", "0.1", "HMAC with keys of the signing daemon hmacd");
    for (HmacName name : HmacName.values()) {
      putService(new MacService(this, name));
    }
  }

  private static final class MacService extends Service {
    private final HmacName name;

    MacService(Provider provider, HmacName name) {
      super(
          provider,
          "Mac",
          name.toString(),
          HmacdMac.class.getName(),
          List.of(),
          Map.of("SupportedKeyClasses", HmacdSecretKey.class.getName()));
      this.name = name;
    }

    @Override
    public Object newInstance(@Nullable Object constructorParameter) {
      if (constructorParameter != null) {
        throw new InvalidParameterException("a Mac has no constructor parameter");
      }
      return new HmacdMac(name);
    }
  }
}
