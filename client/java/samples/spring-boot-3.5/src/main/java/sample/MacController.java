package sample;

import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.client.InvalidMacException;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.MessageTooLongException;
import java.io.IOException;
import java.io.InputStream;
import java.util.HexFormat;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/// `POST /sign` answers with the MAC of the body in hex. `POST /verify` answers 204 if the header
/// `X-Mac` has the MAC of the body, 401 if it has another, 400 if it is not hex, 413 if the body is
/// too long, and 503 if there is no verdict.
@RestController
class MacController {
  private final HmacdKey key;

  MacController(HmacdClient hmacd, @Value("${sample.key}") String key) {
    this.key = hmacd.key(key, MacAlgorithm.HMAC_SHA_256);
  }

  @PostMapping("/sign")
  String sign(InputStream body) throws IOException {
    byte[] message = read(body);
    return HexFormat.of().formatHex(key.generate(message).toByteArray());
  }

  @PostMapping("/verify")
  @ResponseStatus(HttpStatus.NO_CONTENT)
  void verify(InputStream body, @RequestHeader("X-Mac") String mac) throws IOException {
    key.verify(read(body), HexFormat.of().parseHex(mac));
  }

  /// Not more than the client refuses. Spring reads a `@RequestBody` without a limit.
  private byte[] read(InputStream body) throws IOException {
    return body.readNBytes(key.maxMessageBytes() + 1);
  }

  @ExceptionHandler(InvalidMacException.class)
  @ResponseStatus(HttpStatus.UNAUTHORIZED)
  void wrongMac() {}

  /// `X-Mac` is not hex.
  @ExceptionHandler(IllegalArgumentException.class)
  @ResponseStatus(HttpStatus.BAD_REQUEST)
  void malformedMac() {}

  /// A number, because Spring 6 and 7 have different names for this status.
  @ExceptionHandler(MessageTooLongException.class)
  ResponseEntity<Void> tooLong() {
    return ResponseEntity.status(413).build();
  }

  @ExceptionHandler(HmacdException.class)
  @ResponseStatus(HttpStatus.SERVICE_UNAVAILABLE)
  void noVerdict() {}
}
