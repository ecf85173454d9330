// Reads commands on a Unix socket of this user, one for each connection. A command is a line. The answer is `ok`,
// `error: ...`, or for `counts` one line for each count.
#include "fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NAMED(name) #name,
static const char *const names[] = {FUNCTIONS(NAMED)};
#undef NAMED

static const struct {
  const char *name;
  CK_RV code;
} codes[] = {
    {"CKR_HOST_MEMORY", 0x02},          {"CKR_GENERAL_ERROR", 0x05},
    {"CKR_FUNCTION_FAILED", 0x06},      {"CKR_ARGUMENTS_BAD", 0x07},
    {"CKR_DATA_LEN_RANGE", 0x21},
    {"CKR_DEVICE_ERROR", 0x30},         {"CKR_DEVICE_MEMORY", 0x31},
    {"CKR_DEVICE_REMOVED", 0x32},       {"CKR_KEY_HANDLE_INVALID", 0x60},
    {"CKR_KEY_SIZE_RANGE", 0x62},       {"CKR_KEY_TYPE_INCONSISTENT", 0x63},
    {"CKR_KEY_FUNCTION_NOT_PERMITTED", 0x68}, {"CKR_MECHANISM_INVALID", 0x70},
    {"CKR_OBJECT_HANDLE_INVALID", 0x82}, {"CKR_OPERATION_ACTIVE", 0x90},
    {"CKR_OPERATION_NOT_INITIALIZED", 0x91}, {"CKR_PIN_INCORRECT", 0xa0},
    {"CKR_PIN_EXPIRED", 0xa3},          {"CKR_PIN_LOCKED", 0xa4},
    {"CKR_SESSION_CLOSED", 0xb0},       {"CKR_SESSION_COUNT", 0xb1},
    {"CKR_SESSION_HANDLE_INVALID", 0xb3}, {"CKR_TOKEN_NOT_PRESENT", 0xe0},
    {"CKR_TOKEN_NOT_RECOGNIZED", 0xe1}, {"CKR_USER_NOT_LOGGED_IN", 0x101},
    {"CKR_CRYPTOKI_NOT_INITIALIZED", 0x190},
};

static bool parse_function(const char *text, enum function *function) {
  if (strcmp(text, "all") == 0) {
    *function = EVERY_FUNCTION;
    return true;
  }
  for (int i = 0; i < FUNCTION_COUNT; i++) {
    if (strcmp(text, names[i]) == 0) {
      *function = (enum function)i;
      return true;
    }
  }
  return false;
}

static bool parse_number(const char *text, int base, unsigned long *number) {
  char *end;
  if (*text < '0' || *text > '9') return false;
  *number = strtoul(text, &end, base);
  return *end == '\0';
}

static bool parse_times(const char *text, long *times) {
  unsigned long number;
  if (strcmp(text, "all") == 0) {
    *times = WITHOUT_END;
    return true;
  }
  if (!parse_number(text, 10, &number) || number > 1000000000UL) return false;
  *times = (long)number;
  return true;
}

static bool parse_code(const char *text, CK_RV *code) {
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    if (strcmp(text, codes[i].name) == 0) {
      *code = codes[i].code;
      return true;
    }
  }
  return parse_number(text, 0, code);
}

static const char *const help =
    "error: commands are\n"
    "  fail FUNCTION TIMES CKR      calls return CKR (a name or a number) and do not reach the token\n"
    "  hang FUNCTION TIMES          calls block until they are released\n"
    "  release                      releases blocked calls\n"
    "  delay FUNCTION MICROSECONDS  calls are delayed; 0 ends the delay\n"
    "  invalidate sessions|objects  known handles become invalid\n"
    "  reuse on|off                 handles of invalidated objects are reused\n"
    "  logout                       the application is logged out\n"
    "  remove, return               the token\n"
    "  sessions MAX|unlimited       maximum number of open sessions\n"
    "  uninitialize                 all calls fail until C_Finalize and C_Initialize\n"
    "  flip TIMES                   MACs have one wrong bit\n"
    "  longest BYTES|unlimited      longer messages have no MAC (CKR_DATA_LEN_RANGE)\n"
    "  clear                        ends all faults\n"
    "  counts, reset                prints the counts of calls, or sets them to 0\n"
    "FUNCTION is a name of PKCS#11 or all, TIMES a number or all\n";

static bool obey(char *line, FILE *answer) {
  char *words[5] = {NULL};
  int count_of_words = 0;
  char *rest = NULL;
  for (char *word = strtok_r(line, " \r\n", &rest); word != NULL; word = strtok_r(NULL, " \r\n", &rest)) {
    if (count_of_words == 5) return false;
    words[count_of_words++] = word;
  }
  if (count_of_words == 0) return false;
  struct fault fault = {.function = EVERY_FUNCTION};
  unsigned long number;
  const char *command = words[0];
  switch (count_of_words) {
    case 4:
      if (strcmp(command, "fail") == 0 && parse_function(words[1], &fault.function) &&
          parse_times(words[2], &fault.times) && parse_code(words[3], &fault.code)) {
        fault_fail(fault);
        return true;
      }
      return false;
    case 3:
      if (!parse_function(words[1], &fault.function)) return false;
      if (strcmp(command, "hang") == 0 && parse_times(words[2], &fault.times)) {
        fault_hang(fault);
        return true;
      }
      if (strcmp(command, "delay") == 0 && parse_number(words[2], 10, &number)) {
        fault_delay(fault.function, number);
        return true;
      }
      return false;
    case 2:
      if (strcmp(command, "invalidate") == 0 && strcmp(words[1], "sessions") == 0) {
        fault_invalidate_sessions();
      } else if (strcmp(command, "invalidate") == 0 && strcmp(words[1], "objects") == 0) {
        fault_invalidate_objects();
      } else if (strcmp(command, "reuse") == 0 && (strcmp(words[1], "on") == 0 || strcmp(words[1], "off") == 0)) {
        fault_reuse_handles(words[1][1] == 'n');
      } else if (strcmp(command, "sessions") == 0 && strcmp(words[1], "unlimited") == 0) {
        fault_max_sessions(WITHOUT_END);
      } else if (strcmp(command, "sessions") == 0 && parse_number(words[1], 10, &number) && number < 1000000) {
        fault_max_sessions((long)number);
      } else if (strcmp(command, "longest") == 0 && strcmp(words[1], "unlimited") == 0) {
        fault_longest(WITHOUT_END);
      } else if (strcmp(command, "longest") == 0 && parse_number(words[1], 10, &number) && number < 1000000000UL) {
        fault_longest((long)number);
      } else if (strcmp(command, "flip") == 0 && parse_times(words[1], &fault.times)) {
        fault_flip(fault.times);
      } else {
        return false;
      }
      return true;
    case 1:
      if (strcmp(command, "release") == 0) {
        fault_release();
      } else if (strcmp(command, "logout") == 0) {
        fault_log_out();
      } else if (strcmp(command, "remove") == 0) {
        fault_remove(true);
      } else if (strcmp(command, "return") == 0) {
        fault_remove(false);
      } else if (strcmp(command, "uninitialize") == 0) {
        fault_uninitialize();
      } else if (strcmp(command, "clear") == 0) {
        fault_clear();
      } else if (strcmp(command, "reset") == 0) {
        reset_counts();
      } else if (strcmp(command, "counts") == 0) {
        struct counts counts;
        count(&counts);
        for (int i = 0; i < FUNCTION_COUNT; i++) {
          if (counts.calls[i] > 0) fprintf(answer, "%s %lu\n", names[i], counts.calls[i]);
        }
        fprintf(answer, "sessions %lu\ninside %lu\nhanging %lu\nviolations %lu\nneedless_logins %lu\n",
                counts.sessions, counts.inside, counts.hanging, counts.violations, counts.needless_logins);
      } else {
        return false;
      }
      return true;
    default:
      return false;
  }
}

// Reads a line, up to the maximum length of a command.
static bool read_line(int connection, char *line, size_t size) {
  size_t length = 0;
  while (length + 1 < size) {
    ssize_t got = read(connection, line + length, 1);
    if (got <= 0) return false;
    if (line[length++] == '\n') break;
  }
  line[length] = '\0';
  return true;
}

static void serve(int connection) {
  char line[256];
  bool read = read_line(connection, line, sizeof line);
  FILE *answer = read ? fdopen(connection, "w") : NULL;
  if (answer == NULL) {
    close(connection);
    return;
  }
  fputs(obey(line, answer) ? "ok\n" : help, answer);
  fclose(answer);
}

static void *listen_on(void *listening) {
  int listener = (int)(intptr_t)listening;
  while (true) {
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection >= 0) serve(connection);
  }
  return NULL;
}

// Whether another process with this module reads commands already.
static bool is_served(const struct sockaddr_un *address) {
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool served = connection >= 0 && connect(connection, (const struct sockaddr *)address, sizeof *address) == 0;
  if (connection >= 0) close(connection);
  return served;
}

void serve_control(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  pthread_t thread;
  if (strlen(path) >= sizeof address.sun_path) {
    fprintf(stderr, "hmacd-fault: the path of the socket is too long: %s\n", path);
    return;
  }
  strcpy(address.sun_path, path);
  if (is_served(&address)) return;
  // The thread blocks all signals: other threads of the process handle them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  unlink(path);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || chmod(path, 0600) != 0 ||
      listen(listener, 8) != 0 || pthread_create(&thread, NULL, listen_on, (void *)(intptr_t)listener) != 0) {
    perror("hmacd-fault: no socket for commands");
  } else {
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}
