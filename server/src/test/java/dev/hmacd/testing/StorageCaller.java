package dev.hmacd.testing;

import com.google.protobuf.ByteString;
import com.google.rpc.Status;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.MacAlgorithm;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// A program that calls a daemon in another process. It reads commands of `scripts/storage.sh` from
/// standard input, one for each line, and answers each with one line.
///
/// - `connect` opens a connection, for example after a restart of the daemon
/// - `create` creates a key and generates its MAC; keys are numbered from 0
/// - `mac NUMBER` generates the MAC of a key: `right`, `wrong` or the reason of the refusal
/// - `keys` counts the keys of the daemon
/// - `load NUMBER` generates MACs of a key, one each millisecond, until `stop`
/// - `stop` prints the numbers of right, wrong and refused MACs
final class StorageCaller implements AutoCloseable {
  private static final Duration DEADLINE = Duration.ofSeconds(20);
  private static final Duration PAUSE = Duration.ofMillis(1);

  private record Key(String id, ByteString mac) {}

  private final Path socket;
  private final List<Key> keys = new ArrayList<>();
  private Caller caller;
  private @Nullable Load load;

  private StorageCaller(Path socket) {
    this.socket = socket;
    this.caller = Caller.unix(socket);
  }

  /// Reads commands from standard input until its end.
  ///
  /// @param arguments the path of the daemon's socket
  public static void main(String[] arguments) throws IOException {
    try (var caller = new StorageCaller(Path.of(arguments[0]));
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        System.out.println(caller.answer(line.split(" ", -1)));
      }
    }
  }

  private String answer(String[] command) {
    try {
      return switch (command[0]) {
        case "connect" -> connect();
        case "create" -> create();
        case "mac" -> mac(keys.get(Integer.parseInt(command[1])));
        case "keys" -> count();
        case "load" -> load(keys.get(Integer.parseInt(command[1])));
        case "stop" -> stop();
        default -> throw new IllegalArgumentException(command[0]);
      };
    } catch (StatusRuntimeException e) {
      return reason(e);
    }
  }

  private String connect() {
    caller.close();
    caller = Caller.unix(socket);
    return "connected";
  }

  private String create() {
    String id = caller.createKey(KeySpec.KEY_SPEC_HMAC_256);
    keys.add(new Key(id, signed(caller, id)));
    return "created";
  }

  private static ByteString signed(Caller through, String id) {
    return through
        .macs()
        .withDeadlineAfter(DEADLINE.toMillis(), TimeUnit.MILLISECONDS)
        .generateMac(
            GenerateMacRequest.newBuilder()
                .setKeyId(id)
                .setMessage(ByteString.copyFromUtf8("message"))
                .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
                .build())
        .getMac();
  }

  private String mac(Key key) {
    return signed(caller, key.id()).equals(key.mac()) ? "right" : "wrong";
  }

  private String count() {
    return String.valueOf(
        caller
            .keys()
            .listKeys(ListKeysRequest.newBuilder().setPageSize(1000).build())
            .getKeysCount());
  }

  private String load(Key key) {
    load = new Load(key);
    return "started";
  }

  private String stop() {
    try {
      return Objects.requireNonNull(load).stop();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Generates MACs of one key, one after the other.
  private final class Load {
    private final Caller through = caller;
    private final Thread thread;
    private volatile boolean ended;
    // The thread writes these fields; reads are after its end.
    private int right;
    private int wrong;
    private int refused;

    private Load(Key key) {
      thread = Thread.ofPlatform().daemon().start(() -> run(key));
    }

    private void run(Key key) {
      while (!ended) {
        try {
          if (signed(through, key.id()).equals(key.mac())) {
            right++;
          } else {
            wrong++;
          }
        } catch (StatusRuntimeException e) {
          refused++;
        }
        LockSupport.parkNanos(PAUSE.toNanos());
      }
    }

    private String stop() throws InterruptedException {
      ended = true;
      thread.join();
      return right + " " + wrong + " " + refused;
    }
  }

  private static String reason(StatusRuntimeException e) {
    Status status = StatusProto.fromThrowable(e);
    return status != null && status.getDetailsCount() > 0
        ? Reasons.info(e).getReason()
        : e.getStatus().getCode().name();
  }

  @Override
  public void close() {
    caller.close();
  }
}
