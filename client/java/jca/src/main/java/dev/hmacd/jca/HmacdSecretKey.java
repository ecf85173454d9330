package dev.hmacd.jca;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.client.HmacdKey;
import java.io.InvalidObjectException;
import java.io.NotSerializableException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serial;
import javax.crypto.SecretKey;
import org.jspecify.annotations.Nullable;

/// A key of hmacd for `javax.crypto.Mac`. It refers to the key in the HSM, and has no secret.
///
/// It is equal only to itself, and cannot be serialized. It cannot be destroyed: its client owns
/// the connections.
@ThreadSafe
public final class HmacdSecretKey implements SecretKey {
  @Serial private static final long serialVersionUID = 1;

  private final transient HmacdKey key;
  private final transient HmacName name;

  /// @throws IllegalArgumentException if the algorithm of the key is UNKNOWN
  public HmacdSecretKey(HmacdKey key) {
    this.key = key;
    this.name = HmacName.of(key.algorithm());
  }

  /// The key of the client.
  public HmacdKey hmacdKey() {
    return key;
  }

  /// `HmacSHA224`, `HmacSHA256`, `HmacSHA384` or `HmacSHA512`.
  @Override
  public String getAlgorithm() {
    return name.toString();
  }

  /// Null: the secret is in the HSM.
  @Override
  public @Nullable String getFormat() {
    return null;
  }

  /// Null: the secret is in the HSM.
  @Override
  public byte @Nullable [] getEncoded() {
    return null;
  }

  @Override
  public String toString() {
    return "HmacdSecretKey[" + name + "]";
  }

  HmacName name() {
    return name;
  }

  @Serial
  private void writeObject(ObjectOutputStream unused) throws NotSerializableException {
    throw new NotSerializableException(
        "a key of hmacd cannot be serialized: its client has connections");
  }

  @Serial
  private void readObject(ObjectInputStream unused) throws InvalidObjectException {
    throw new InvalidObjectException("a key of hmacd cannot be deserialized");
  }
}
