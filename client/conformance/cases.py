"""The cases of the table: requests of a caller, the answers of the server, and the outcome by BEHAVIOR.md."""

import json
from dataclasses import dataclass, field

import grpc

import server
from reasons import ROOT, Retry
from server import ALGORITHMS, changed, forward, hang, mac_of, raw, refuse, right

MESSAGE = b"pay 100 EUR to account 4711"
NAME = "alias/conformance-orders"
MAC = mac_of("HMAC_SHA_256", MESSAGE)
WRONG_MAC = bytes([MAC[0] ^ 1]) + MAC[1:]
LIMIT = 65_536  # Of the setting `max message bytes`.
TIMEOUT = 5_000  # Milliseconds, of the setting `timeout`.
LATE = 3_600_000  # Milliseconds. A delay after each deadline.
TOKENS = 100  # Of the retry budget.
CODES = grpc.StatusCode


@dataclass(frozen=True)
class Step:
    """One call."""

    request: dict
    """Of the caller: README.md."""
    outcome: dict
    """The fields of the outcome, each a value or a condition. `arrived` is the number of attempts at the server."""
    answers: tuple = ()
    """To the first attempts."""
    then: object = right
    """The answer to all other attempts."""
    differs: dict = field(default_factory=dict)
    """Other fields of the outcome in one language, as the README of its package says."""


@dataclass(frozen=True)
class Case:
    name: str
    steps: tuple

    @staticmethod
    def of(name, *steps):
        return Case(name, steps)


# --- Requests ---


def generate(message=MESSAGE, algorithm="HMAC_SHA_256", **options):
    return {"operation": "generate", "key": NAME, "algorithm": algorithm, "message": message} | options


def verify(message=MESSAGE, mac=MAC, algorithm="HMAC_SHA_256", **options):
    return {"operation": "verify", "key": NAME, "algorithm": algorithm, "message": message, "mac": mac} | options


OPEN_KEY = {"operation": "open_key", "key": NAME}
OPERATIONS = (generate(), verify(), OPEN_KEY)

# --- Outcomes ---


def success(request, arrived=1):
    """The outcome of a request that succeeds, with the key of `right`."""
    match request["operation"]:
        case "generate":
            return {"outcome": "mac", "mac": mac_of(request["algorithm"], request["message"]), "arrived": arrived}
        case "verify":
            return {"outcome": "right", "arrived": arrived}
        case "open_key":
            return {"outcome": "key", "algorithm": "HMAC_SHA_256", "arn": server.KEY_ARN, "arrived": arrived}


def error(type, reason, attempts, *, retryable=False, may_have_run=False, **fields):
    common = {"outcome": "error", "type": type, "reason": reason, "attempts": attempts, "arrived": attempts}
    return common | {"retryable": retryable, "may_have_run": may_have_run} | fields


def error_of(reason, attempts, **fields):
    common = {"retryable": reason.retryable, "may_have_run": reason.may_have_run}
    return error(reason.type, reason.name, attempts, **common | fields)


def local(type, reason, **fields):
    """An error without an attempt."""
    return error(type, reason, 0, **fields)


def too_long(size):
    return local("MessageTooLong", "MESSAGE_TOO_LONG", limit=LIMIT, size=size)


DAMAGED = error("Hmacd", "CHECKSUM_MISMATCH", 2, retryable=True, may_have_run=True)
INVALID_MAC = error("InvalidMac", "KMS_INVALID_MAC", 1, may_have_run=True)


def any_of(*values):
    return lambda value: value in values


def anything(_):
    return True


# --- Reasons ---


def daemons(reason, **options):
    """The answer with a reason, as the daemon sends it, with a short delay."""
    delay = 1 if reason.retry_info else None
    return refuse(reason.name, reason.code, **{"delay": delay, "forbidden": reason.forbids_retry} | options)


def reason_cases(reasons):
    """Each reason, in answer to each operation."""
    for reason in reasons.values():
        steps = []
        refused, forbidden = daemons(reason), daemons(reason, forbidden=True)
        for request in OPERATIONS:
            sizes = {}
            if reason.type == "MessageTooLong":
                sizes = {"limit": 0, "size": anything}
            match reason.retry:
                case Retry.NEVER:
                    steps.append(Step(request, error_of(reason, 1, **sizes), then=refused))
                case Retry.ONCE:
                    steps.append(Step(request, success(request, 2), (refused,)))
                    steps.append(Step(request, error_of(reason, 2), then=refused))
                case Retry.AGAIN:
                    steps.append(Step(request, success(request, 2), (refused,)))
                    steps.append(Step(request, error_of(reason, 3), (refused, refused), forbidden))
        if reason.retry is not Retry.NEVER:
            steps.append(Step(generate(), error_of(reason, 1), then=forbidden))
        if reason.retry is Retry.AGAIN and reason.name != "STOPPING":
            steps.append(Step(verify(), error_of(reason, 1), then=daemons(reason, delay=LATE)))
        yield Case.of(reason.name, *steps)


def size_cases(reasons):
    """The sizes of the daemon."""
    message = daemons(reasons["MESSAGE_TOO_LONG"], metadata={"maximum": "4096", "given": "5000"})
    sizes = error_of(reasons["MESSAGE_TOO_LONG"], 1, limit=4096, size=5000)
    yield Case.of("sizes of MESSAGE_TOO_LONG", *(Step(each, sizes, then=message) for each in (generate(), verify())))
    request = daemons(reasons["REQUEST_TOO_LONG"], metadata={"maximum": "4096"})
    sizes = error_of(reasons["REQUEST_TOO_LONG"], 1, limit=4096, size="request")
    yield Case.of("sizes of REQUEST_TOO_LONG", *(Step(each, sizes, then=request) for each in (generate(), verify())))
    for name, metadata in {
        "sizes that are not numbers": {"maximum": "many", "given": "1e3"},
        "sizes below zero": {"maximum": "-1", "given": "-5"},
    }.items():
        wrong = daemons(reasons["MESSAGE_TOO_LONG"], metadata=metadata)
        outcome = error_of(reasons["MESSAGE_TOO_LONG"], 1, limit=0, size=anything)
        yield Case.of(name, Step(generate(), outcome, then=wrong))


def other_errors(reasons):
    """Errors that no daemon of this version sends."""
    # README of Java, rule 8: a reason of a newer daemon is UNKNOWN.
    unknown = {"java": {"reason": "UNKNOWN"}}
    for code in (CODES.INVALID_ARGUMENT, CODES.UNAVAILABLE, CODES.RESOURCE_EXHAUSTED):
        final = refuse("NEW_REASON", code)
        new = error("Hmacd", "NEW_REASON", 1, may_have_run=True)
        yield Case.of(
            f"new reason with {code.name}", *(Step(each, new, then=final, differs=unknown) for each in OPERATIONS)
        )
        marked, late = (refuse("NEW_REASON", code, delay=delay) for delay in (1, LATE))
        forbidden = refuse("NEW_REASON", code, delay=1, forbidden=True)
        again = error("Hmacd", "NEW_REASON", 3, retryable=True, may_have_run=True)
        once = again | {"attempts": 1, "arrived": 1}
        yield Case.of(
            f"new reason with {code.name}, RetryInfo",
            *(Step(each, success(each, 2), (marked,)) for each in OPERATIONS),
            *(Step(each, again, (marked, marked), forbidden, unknown) for each in OPERATIONS),
            *(Step(each, once, then=late, differs=unknown) for each in OPERATIONS),
        )
    lines = refuse("TOKEN_BUSY\nE forged\r\x1b[31m line", CODES.UNAVAILABLE)
    outcome = error("Hmacd", lambda reason: reason.isprintable() and reason != "TOKEN_BUSY", 1, may_have_run=True)
    yield Case.of("reason of several lines", *(Step(each, outcome, then=lines, differs=unknown) for each in OPERATIONS))
    lines = daemons(reasons["ACCESS_DENIED"], text="refused\nE forged\r\x1b[31m line\x7f")
    yield Case.of("text of several lines", Step(verify(), error_of(reasons["ACCESS_DENIED"], 1), then=lines))

    foreign = refuse("KMS_INVALID_MAC", CODES.INVALID_ARGUMENT, domain="example.org")
    steps = (no_reason(each, CODES.INVALID_ARGUMENT, foreign) for each in OPERATIONS)
    yield Case.of("reason of another domain", *steps)
    foreign = refuse("TOKEN_BUSY", CODES.RESOURCE_EXHAUSTED, domain="example.org", delay=1)
    yield Case.of("reason of another domain, with a delay", no_reason(generate(), CODES.RESOURCE_EXHAUSTED, foreign))
    for code in CODES:
        if code in (CODES.OK, CODES.UNAVAILABLE, CODES.DEADLINE_EXCEEDED, CODES.CANCELLED):
            continue
        answer = refuse(None, code)
        yield Case.of(f"{code.name} without a reason", *(no_reason(each, code, answer) for each in OPERATIONS))

    lost = refuse(None, CODES.UNAVAILABLE)
    once = (Step(each, success(each, 2), (lost,)) for each in OPERATIONS)
    failed = error("Hmacd", "CONNECTION_FAILED", 3, retryable=True, may_have_run=True)
    forbidden = refuse(None, CODES.UNAVAILABLE, forbidden=True)
    yield Case.of("UNAVAILABLE without a reason", *once, Step(verify(), failed, (lost, lost), forbidden))


def no_reason(request, code, answer):
    """The peer is not hmacd: there is no verdict, and no retry."""
    outcome = error("Hmacd", any_of("CONNECTION_FAILED", code.name), 1, retryable=anything, may_have_run=True)
    return Step(request, outcome, then=answer, differs={"java": {"reason": "UNKNOWN"}})


# --- Limits ---


def limit_cases():
    empty = local("Hmacd", "INVALID_ARGUMENT")
    yield Case.of("empty message", Step(generate(b""), empty), Step(verify(b""), empty))
    for size in (1, LIMIT):
        message = b"m" * size
        mac = mac_of("HMAC_SHA_256", message)
        requests = generate(message), verify(message, mac)
        yield Case.of(f"message of {size} bytes", *(Step(each, success(each)) for each in requests))
    for size in (LIMIT + 1, 2 * LIMIT):
        message = b"m" * size
        requests = generate(message), verify(message, MAC), verify(message, b"short")
        yield Case.of(f"message of {size} bytes", *(Step(each, too_long(size)) for each in requests))
    message = bytes(range(256))
    requests = generate(message), verify(message, mac_of("HMAC_SHA_256", message))
    yield Case.of("message of all bytes", *(Step(each, success(each)) for each in requests))
    for algorithm in ALGORITHMS:
        right_mac = mac_of(algorithm, MESSAGE)
        wrong = local("InvalidMac", "KMS_INVALID_MAC")
        macs = [b"", right_mac[:1], right_mac[:-1], right_mac + b"\0", right_mac * 2, bytes(6145)]
        macs += [mac_of(other, MESSAGE) for other in ALGORITHMS if other != algorithm]
        yield Case.of(
            f"length of a MAC of {algorithm}",
            *(Step(verify(mac=mac, algorithm=algorithm), wrong) for mac in macs),
            Step(verify(mac=right_mac, algorithm=algorithm), success(verify())),
        )
    yield Case.of("wrong MAC", Step(verify(mac=WRONG_MAC), INVALID_MAC), Step(verify(), success(verify())))
    for request in OPERATIONS:
        late = error("DeadlineExceeded", "DEADLINE_EXCEEDED", 1, retryable=True, may_have_run=True)
        yield Case.of(f"deadline of {request['operation']}", Step(request | {"timeout_ms": 150}, late, then=hang))


def vector_cases():
    """The MACs of client/vectors, under their key."""
    vectors = json.loads((ROOT / "client/vectors/vectors.json").read_text())
    key = vectors["key"]
    for algorithm in ALGORITHMS:
        steps = []
        for vector in vectors["macs"]:
            if vector["algorithm"] != algorithm:
                continue
            message, mac = (bytes.fromhex(vector[name]) for name in ("message", "mac"))
            wrong = mac[:-1] + bytes([mac[-1] ^ 0x80])
            steps += [
                Step(generate(message, algorithm), {"outcome": "mac", "mac": mac, "arrived": 1}),
                Step(verify(message, mac, algorithm), {"outcome": "right", "arrived": 1}),
                Step(verify(message, wrong, algorithm), INVALID_MAC),
            ]
        if not steps or bytes.fromhex(key) != server.KEY:
            raise ValueError(f"client/vectors has no MACs of {algorithm} under the key of the server")
        yield Case.of(f"vectors of {algorithm}", *steps)


# --- Damage ---


def flip(field):
    """Changes one bit of a field of bytes."""

    def damage(message):
        content = getattr(message, field)
        setattr(message, field, content[:-1] + bytes([content[-1] ^ 1]))

    return damage


def add(field, number):
    return lambda message: setattr(message, field, (getattr(message, field) + number) % 2**32)


def clear(field):
    return lambda message: message.ClearField(field)


def both(*damages):
    return lambda message: [damage(message) for damage in damages]


def shorten(message):
    """A MAC of another length, with the right checksum."""
    message.mac = message.mac[:-4]
    message.mac_crc32c = server.crc32c(message.mac)


REQUEST_DAMAGES = {
    "message": flip("message"),
    "message_crc32c": add("message_crc32c", 1),
    "mac": flip("mac"),
    "mac_crc32c": add("mac_crc32c", 1),
}
# The daemon does not notice this damage, but its answer says that it has not checked the field.
LOSSES = {
    "message_crc32c lost": clear("message_crc32c"),
    "message, message_crc32c lost": both(flip("message"), clear("message_crc32c")),
    "mac_crc32c lost": clear("mac_crc32c"),
}
ANSWER_DAMAGES = {
    "generate": {
        "mac": flip("mac"),
        "mac lost": clear("mac"),
        "mac, mac_crc32c lost": both(clear("mac"), clear("mac_crc32c")),
        "mac_crc32c": add("mac_crc32c", 1),
        "mac_crc32c lost": clear("mac_crc32c"),
        "length of mac": shorten,
        "mac_algorithm": add("mac_algorithm", 1),
        "mac_algorithm unknown": add("mac_algorithm", 99),
        "mac_algorithm lost": clear("mac_algorithm"),
        "verified_message_crc32c lost": clear("verified_message_crc32c"),
    },
    "verify": {
        "mac_valid lost": clear("mac_valid"),
        "mac_algorithm": add("mac_algorithm", 1),
        "mac_algorithm unknown": add("mac_algorithm", 99),
        "mac_algorithm lost": clear("mac_algorithm"),
        "verified_message_crc32c lost": clear("verified_message_crc32c"),
        "verified_mac_crc32c lost": clear("verified_mac_crc32c"),
    },
}


def damage_cases(name, key):
    """A proxy between the caller and the real daemon, which damages messages.

    :param name: of the key of the real daemon
    :param key: its bytes
    """
    mac = mac_of("HMAC_SHA_256", MESSAGE, key)
    wrong_mac = flip_bit(mac)
    proxy = {"then": forward()}
    requests = {"generate": generate(key=name), "verify": verify(mac=mac, key=name)}
    wrong = verify(mac=wrong_mac, key=name)
    successes = {
        "generate": {"outcome": "mac", "mac": mac, "arrived": 2},
        "verify": {"outcome": "right", "arrived": 2},
    }
    yield Case.of(
        "real daemon",
        *(Step(requests[each], successes[each] | {"arrived": 1}, **proxy) for each in requests),
        Step(wrong, INVALID_MAC, **proxy),
        Step(verify(MESSAGE + b"0", mac, key=name), INVALID_MAC, **proxy),
    )

    def has(operation, damage):
        return operation == "verify" or not damage.startswith("mac")

    for damage, change in REQUEST_DAMAGES.items():
        damaged = forward(request_damage=change)
        steps = []
        for operation, request in requests.items():
            if has(operation, damage):
                steps.append(Step(request, successes[operation], (damaged,), **proxy))
                # The daemon refuses both requests before it executes them.
                steps.append(Step(request, DAMAGED | {"may_have_run": False}, then=damaged))
        steps.append(Step(wrong, INVALID_MAC | {"attempts": 2, "arrived": 2}, (damaged,), **proxy))
        yield Case.of(f"request: {damage}", *steps)
    for damage, change in LOSSES.items():
        damaged = forward(request_damage=change)
        steps = []
        for operation, request in requests.items():
            # With another message, the daemon refuses the MAC: VerifyMac cannot report a lost checksum.
            if has(operation, damage) and not (operation == "verify" and "message," in damage):
                steps.append(Step(request, successes[operation], (damaged,), **proxy))
                steps.append(Step(request, DAMAGED, then=damaged))
        yield Case.of(f"request: {damage}", *steps)
    for operation, damages in ANSWER_DAMAGES.items():
        request = requests[operation]
        for damage, change in damages.items():
            damaged = forward(response_damage=change)
            yield Case.of(
                f"answer of {operation}: {damage}",
                Step(request, successes[operation], (damaged,), **proxy),
                Step(request, DAMAGED, then=damaged),
            )


def flip_bit(content):
    return bytes([content[0] ^ 1]) + content[1:]


def answer_cases():
    """Answers that no daemon sends."""
    for request in (generate(), verify()):
        operation = request["operation"]
        empty = raw(b"")
        steps = Step(request, success(request, 2), (empty,)), Step(request, DAMAGED, then=empty)
        yield Case.of(f"answer of {operation}: empty", *steps)
        # It is no message: some libraries of gRPC report an error of their own.
        no_verdict = error("Hmacd", anything, any_of(1, 2), retryable=anything, may_have_run=True)
        yield Case.of(f"answer of {operation}: not protobuf", Step(request, no_verdict, then=raw(b"\xff\xff\xff")))
    for name, change in {
        "no algorithm": lambda response: response.key_metadata.ClearField("mac_algorithms"),
        "an unknown algorithm": lambda response: response.key_metadata.mac_algorithms.__setitem__(0, 99),
        "no metadata": lambda response: response.Clear(),
    }.items():
        no_key = local("Hmacd", "INVALID_ARGUMENT", arrived=1)
        yield Case.of(f"key with {name}", Step(OPEN_KEY, no_key, then=changed(change)))


# --- The state of a client ---


def budget_cases(reasons):
    """Each case needs a new client: its bucket is full."""
    busy = daemons(reasons["TOKEN_BUSY"], delay=0)
    empty = Step(generate(), error_of(reasons["TOKEN_BUSY"], TOKENS + 1), then=busy)
    refused = Step(verify(), error_of(reasons["TOKEN_BUSY"], 1), (busy,))
    # 0.1 tokens each. The eleventh is for errors of rounding.
    earned = [Step(generate(), success(generate())) for _ in range(11)]
    repeated = Step(verify(), success(verify(), 2), (busy,))
    yield Case.of("retry budget", empty, refused, *earned, repeated, refused)


def doctor_cases(target):
    """`grpc.health.v1.HealthCheckResponse` has the status in field 1: SERVING is 1, NOT_SERVING is 2."""
    request = {"operation": "doctor"}
    for name, answer, start in (
        ("SERVING", raw(b"\x08\x01"), f"ok: {target}"),
        ("NOT_SERVING", raw(b"\x08\x02"), f"failed: {target}, "),
    ):
        is_line = lambda lines, start=start: len(lines) == 1 and lines[0].startswith(start)  # noqa: E731
        outcome = {"outcome": "lines", "lines": is_line, "arrived": 1}
        yield Case.of(f"doctor, {name}", Step(request, outcome, then=answer))


def close_cases():
    closed = local("Closed", "CLOSED")
    close = Step({"operation": "close"}, {"outcome": "done", "arrived": 0})
    yield Case.of("closed client", close, *(Step(each, closed) for each in OPERATIONS), close)


def groups(reasons, target, name, key):
    """Lists of cases. Each needs a new client, because a client has a budget of retries."""
    return [
        list(reason_cases(reasons)),
        [*size_cases(reasons), *other_errors(reasons)],
        [*limit_cases(), *vector_cases(), *answer_cases()],
        list(damage_cases(name, key)),
        list(doctor_cases(target)),
        list(budget_cases(reasons)),
        list(close_cases()),
    ]
