package dev.hmacd.jca;

import dev.hmacd.client.HmacdException;
import java.io.ByteArrayOutputStream;
import java.security.InvalidAlgorithmParameterException;
import java.security.InvalidKeyException;
import java.security.Key;
import java.security.spec.AlgorithmParameterSpec;
import javax.crypto.MacSpi;
import org.jspecify.annotations.Nullable;

/// A `javax.crypto.Mac` that buffers a message and gets its MAC in one call. Not thread-safe, as
/// each `Mac`. A clone is not supported.
final class HmacdMac extends MacSpi {
  private final HmacName name;
  private final ByteArrayOutputStream message = new ByteArrayOutputStream();
  private @Nullable HmacdSecretKey key;

  /// The length of the message. If it is over the limit, the message is not buffered.
  private long messageBytes;

  HmacdMac(HmacName name) {
    this.name = name;
  }

  @Override
  protected int engineGetMacLength() {
    return name.macBytes();
  }

  @Override
  protected void engineInit(@Nullable Key key, @Nullable AlgorithmParameterSpec params)
      throws InvalidKeyException, InvalidAlgorithmParameterException {
    if (!(key instanceof HmacdSecretKey hmacdKey)) {
      throw new InvalidKeyException("the key is not an HmacdSecretKey");
    }
    if (hmacdKey.name() != name) {
      throw new InvalidKeyException("the key is for " + hmacdKey.name() + ", not for " + name);
    }
    if (params != null) {
      throw new InvalidAlgorithmParameterException(name + " has no parameters");
    }
    this.key = hmacdKey;
    engineReset();
  }

  @Override
  protected void engineUpdate(byte input) {
    engineUpdate(new byte[] {input}, 0, 1);
  }

  @Override
  protected void engineUpdate(byte[] input, int offset, int length) {
    messageBytes += length;
    if (messageBytes > initialized().hmacdKey().maxMessageBytes()) {
      message.reset(); // An exception here would keep Mac.doFinal from its reset.
    } else {
      message.write(input, offset, length);
    }
  }

  @Override
  protected byte[] engineDoFinal() {
    HmacdSecretKey initialized = initialized();
    try {
      int limit = initialized.hmacdKey().maxMessageBytes();
      if (messageBytes > limit) {
        throw new HmacdMacException(
            "the message has " + messageBytes + " bytes, the limit of the client is " + limit);
      }
      return initialized.hmacdKey().generate(message.toByteArray()).toByteArray();
    } catch (HmacdException e) {
      throw new HmacdMacException(e);
    } finally {
      engineReset();
    }
  }

  @Override
  protected void engineReset() {
    message.reset();
    messageBytes = 0;
  }

  private HmacdSecretKey initialized() {
    if (key == null) {
      throw new IllegalStateException("the Mac has no key: call init first");
    }
    return key;
  }
}
