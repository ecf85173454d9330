package dev.hmacd.testing;

import static dev.hmacd.testing.RawHttp2.message;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import io.grpc.Status.Code;
import java.io.IOException;
import java.net.SocketException;
import javax.net.ssl.SSLException;

/// A GenerateMac call with a known MAC: checks that a daemon serves or refuses a caller.
public final class KnownMac {
  /// The path of GenerateMac.
  public static final String PATH = "/hmacd.v1.MacService/GenerateMac";

  private static final String ALIAS = "alias/there";
  private static final String MESSAGE = "hello";

  private final byte[] request;
  private final byte[] mac;

  private KnownMac(byte[] request, byte[] mac) {
    this.request = request;
    this.mac = mac;
  }

  /// Opens a connection.
  public interface Opening {
    RawHttp2 open() throws IOException;
  }

  /// Creates a key with the alias `alias/there`, and generates its MAC.
  public static KnownMac create(Caller admin) {
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    admin.createAlias(ALIAS, key);
    byte[] request =
        GenerateMacRequest.newBuilder()
            .setKeyId(key)
            .setMessage(ByteString.copyFromUtf8(MESSAGE))
            .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
            .build()
            .toByteArray();
    return new KnownMac(request, admin.generateMac(key, MESSAGE));
  }

  /// Asserts that a caller gets the MAC.
  public void assertServed(Caller caller) {
    assertThat(caller.generateMac(ALIAS, MESSAGE)).isEqualTo(mac);
  }

  /// Asserts that a call on an unused stream of a connection is answered.
  public void assertServed(RawHttp2 caller, int stream) throws IOException {
    assertAnswered(caller.call(stream, PATH), stream);
  }

  /// Sends the request of an open call, and asserts that the call is answered.
  public void assertAnswered(RawHttp2 caller, int stream) throws IOException {
    assertThat(request(caller, stream)).isEqualTo(new End.Answered(Code.OK, "", ""));
  }

  /// Sends the request of an open call, and returns the end of the call.
  public End request(RawHttp2 caller, int stream) throws IOException {
    return caller.data(stream, message(0, request)).end(stream);
  }

  /// Whether the daemon closes a new connection without an answer to a call.
  public boolean isDisconnected(Opening opening) throws IOException {
    try (RawHttp2 caller = opening.open()) {
      caller.call(1, PATH).data(1, message(0, request));
      return caller.end(1) instanceof End.Closed;
    } catch (SSLException | SocketException e) {
      return true;
    }
  }
}
