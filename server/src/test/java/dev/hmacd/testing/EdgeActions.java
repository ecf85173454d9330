package dev.hmacd.testing;

import dev.hmacd.access.Action;
import java.util.EnumSet;
import java.util.Set;

/// The actions of each edge. A new action is in both sets, unless it is listed here.
public final class EdgeActions {
  private static final Set<Action> GRPC_ONLY =
      EnumSet.of(
          Action.ADOPT_KEY,
          Action.CREATE_ACCESS_KEY,
          Action.LIST_ACCESS_KEYS,
          Action.DISABLE_ACCESS_KEY,
          Action.DELETE_ACCESS_KEY);

  private static final Set<Action> AWS_ONLY =
      EnumSet.of(Action.GET_KEY_ROTATION_STATUS, Action.GET_KEY_POLICY, Action.LIST_KEY_POLICIES);

  private EdgeActions() {}

  /// The actions of the gRPC edge.
  public static Set<Action> overGrpc() {
    return without(AWS_ONLY);
  }

  /// The actions of the AWS KMS edge.
  public static Set<Action> overAws() {
    return without(GRPC_ONLY);
  }

  private static Set<Action> without(Set<Action> others) {
    EnumSet<Action> actions = EnumSet.allOf(Action.class);
    actions.removeAll(others);
    return actions;
  }
}
