// The state of all faults, guarded by one lock. The lock is held during a call of the real module only
// while no other call is in that module: SoftHSM2 can crash if a session is closed during a search in another one.
#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

CK_FUNCTION_LIST *real;

struct rule {
  long fail; // Number of further calls.
  CK_RV code;
  long hang;
  unsigned long delay_micros;
};

struct session {
  CK_SESSION_HANDLE real;
  unsigned long users; // Calls in the session.
  bool open;
  bool closing; // The last call that leaves closes the session.
};

struct object {
  CK_OBJECT_HANDLE real;
  bool valid;
};

// Grows. The caller's handle is the index plus one.
#define TABLE(type) \
  struct { \
    struct type *entries; \
    size_t count, room; \
  }

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static pthread_cond_t resumed = PTHREAD_COND_INITIALIZER;
static pthread_cond_t quiet = PTHREAD_COND_INITIALIZER;
static bool stopped;         // No call may enter the real module.
static unsigned long active; // Calls that may be in the real module.
static struct rule rules[FUNCTION_COUNT];
static TABLE(session) sessions;
static TABLE(object) objects;
static struct counts counted;
static unsigned long release_count;
static long max_sessions = WITHOUT_END;
static unsigned long opening; // Sessions that are being opened, and already counted.
static long flips;
static long longest_message = WITHOUT_END;
static bool removed;
static bool uninitialized; // The module needs C_Finalize and C_Initialize.
static bool real_finalized;
static bool reuse;

#define GROW(table) \
  do { \
    if ((table).count == (table).room) { \
      size_t room = (table).room == 0 ? 64 : 2 * (table).room; \
      void *grown = realloc((table).entries, room * sizeof *(table).entries); \
      if (grown == NULL) abort(); \
      (table).entries = grown; \
      (table).room = room; \
    } \
  } while (0)

static bool spend(long *times) {
  if (*times == 0) return false;
  if (*times > 0) --*times;
  return true;
}

// Waits until no call is in the real module, and stops further calls. Releases the lock meanwhile.
static void stop_calls(void) {
  while (stopped) pthread_cond_wait(&resumed, &lock);
  stopped = true;
  while (active > 0) pthread_cond_wait(&quiet, &lock);
}

static void resume_calls(void) {
  stopped = false;
  pthread_cond_broadcast(&resumed);
}

// --- Calls ---

static void pause_for(unsigned long micros) {
  struct timespec rest = {micros / 1000000, (long)(micros % 1000000) * 1000};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
}

static bool works_without_token(enum function function) {
  return function == F_C_Initialize || function == F_C_Finalize || function == F_C_GetInfo ||
         function == F_C_GetSlotList || function == F_C_GetSlotInfo;
}

static CK_RV begin(struct call *call, enum function function, const CK_SESSION_HANDLE *session) {
  *call = (struct call){.function = function};
  pthread_mutex_lock(&lock);
  struct rule *rule = &rules[function];
  counted.calls[function]++;
  counted.inside++;
  if (spend(&rule->hang)) {
    unsigned long before = release_count;
    counted.hanging++;
    while (release_count == before) pthread_cond_wait(&released, &lock);
    counted.hanging--;
  }
  if (rule->delay_micros > 0) {
    unsigned long micros = rule->delay_micros;
    pthread_mutex_unlock(&lock);
    pause_for(micros);
    pthread_mutex_lock(&lock);
  }
  while (stopped) pthread_cond_wait(&resumed, &lock);
  active++;
  CK_RV rv = CKR_OK;
  if (uninitialized && function != F_C_Initialize && function != F_C_Finalize) {
    rv = CKR_CRYPTOKI_NOT_INITIALIZED;
  } else if (removed && !works_without_token(function)) {
    rv = session == NULL ? CKR_TOKEN_NOT_PRESENT : CKR_DEVICE_REMOVED;
  } else if (session != NULL) {
    size_t entry = *session - 1;
    if (*session == 0 || entry >= sessions.count || !sessions.entries[entry].open) {
      rv = CKR_SESSION_HANDLE_INVALID;
    } else {
      call->in_session = true;
      call->entry = entry;
      call->session = sessions.entries[entry].real;
      sessions.entries[entry].users++;
    }
  }
  if (rv == CKR_OK && spend(&rule->fail)) {
    call->injected = true;
    rv = rule->code;
  }
  pthread_mutex_unlock(&lock);
  return rv;
}

CK_RV enter(struct call *call, enum function function) { return begin(call, function, NULL); }

CK_RV enter_session(struct call *call, enum function function, CK_SESSION_HANDLE session) {
  return begin(call, function, &session);
}

// Requires stopped calls.
static void close_unused(struct session *session) {
  if (session->closing && session->users == 0) {
    session->closing = false;
    real->C_CloseSession(session->real);
  }
}

CK_RV leave(struct call *call, CK_RV rv) {
  pthread_mutex_lock(&lock);
  counted.inside--;
  if (--active == 0) pthread_cond_broadcast(&quiet);
  if (call->in_session) {
    struct session *session = &sessions.entries[call->entry];
    if (--session->users == 0 && session->closing) {
      stop_calls();
      session = &sessions.entries[call->entry]; // The table may have been reallocated.
      close_unused(session);
      resume_calls();
    }
    // The session was invalidated during the call: the result is discarded.
    if (!session->open && call->function != F_C_CloseSession && rv == CKR_OK) rv = CKR_SESSION_HANDLE_INVALID;
  }
  pthread_mutex_unlock(&lock);
  return rv;
}

// --- Sessions and objects ---

static unsigned long open_sessions(void) {
  unsigned long open = 0;
  for (size_t i = 0; i < sessions.count; i++) open += sessions.entries[i].open;
  return open;
}

CK_RV may_open(void) {
  pthread_mutex_lock(&lock);
  bool full = max_sessions != WITHOUT_END && open_sessions() + opening >= (unsigned long)max_sessions;
  opening += !full;
  pthread_mutex_unlock(&lock);
  return full ? CKR_SESSION_COUNT : CKR_OK;
}

void not_opened(void) {
  pthread_mutex_lock(&lock);
  opening--;
  pthread_mutex_unlock(&lock);
}

CK_SESSION_HANDLE session_opened(CK_SESSION_HANDLE real_session) {
  pthread_mutex_lock(&lock);
  GROW(sessions);
  opening--;
  sessions.entries[sessions.count++] = (struct session){.real = real_session, .open = true};
  CK_SESSION_HANDLE given = sessions.count;
  pthread_mutex_unlock(&lock);
  return given;
}

void session_closed(const struct call *call) {
  pthread_mutex_lock(&lock);
  sessions.entries[call->entry].open = false;
  pthread_mutex_unlock(&lock);
}

// Requires stopped calls if it closes sessions.
static void forget_sessions(bool close) {
  for (size_t i = 0; i < sessions.count; i++) {
    struct session *session = &sessions.entries[i];
    if (session->open) {
      session->open = false;
      session->closing = close;
      close_unused(session);
    }
  }
}

void all_sessions_closed(void) {
  pthread_mutex_lock(&lock);
  forget_sessions(false);
  pthread_mutex_unlock(&lock);
}

CK_OBJECT_HANDLE object_given(CK_OBJECT_HANDLE real_object) {
  pthread_mutex_lock(&lock);
  size_t entry = objects.count;
  for (size_t i = 0; i < objects.count; i++) {
    struct object *object = &objects.entries[i];
    if (object->valid && object->real == real_object) {
      entry = i;
      break;
    }
    // The handle of another object is reused, as on tokens that restart their numbering.
    if (reuse && !object->valid && object->real != real_object && entry == objects.count) entry = i;
  }
  if (entry == objects.count) {
    GROW(objects);
    objects.count++;
  }
  objects.entries[entry] = (struct object){.real = real_object, .valid = true};
  pthread_mutex_unlock(&lock);
  return entry + 1;
}

CK_RV object_named(CK_OBJECT_HANDLE given, CK_OBJECT_HANDLE *real_object) {
  CK_RV rv = CKR_OBJECT_HANDLE_INVALID;
  pthread_mutex_lock(&lock);
  if (given > 0 && given <= objects.count && objects.entries[given - 1].valid) {
    *real_object = objects.entries[given - 1].real;
    rv = CKR_OK;
  }
  pthread_mutex_unlock(&lock);
  return rv;
}

// --- Initialization and finalization ---

CK_RV may_finalize(void) {
  pthread_mutex_lock(&lock);
  bool others = counted.inside > 1;
  counted.violations += others;
  pthread_mutex_unlock(&lock);
  return others ? CKR_FUNCTION_FAILED : CKR_OK;
}

CK_RV finalized(void) {
  pthread_mutex_lock(&lock);
  forget_sessions(false);
  objects.count = 0;
  real_finalized = true;
  CK_RV rv = uninitialized ? CKR_CRYPTOKI_NOT_INITIALIZED : CKR_OK;
  pthread_mutex_unlock(&lock);
  return rv;
}

CK_RV may_initialize(void) {
  pthread_mutex_lock(&lock);
  CK_RV rv = uninitialized && !real_finalized ? CKR_CRYPTOKI_ALREADY_INITIALIZED : CKR_OK;
  pthread_mutex_unlock(&lock);
  return rv;
}

void initialized(void) {
  pthread_mutex_lock(&lock);
  uninitialized = false;
  real_finalized = false;
  pthread_mutex_unlock(&lock);
}

void needless_login(void) {
  pthread_mutex_lock(&lock);
  counted.needless_logins++;
  pthread_mutex_unlock(&lock);
}

bool token_is_removed(void) {
  pthread_mutex_lock(&lock);
  bool is = removed;
  pthread_mutex_unlock(&lock);
  return is;
}

bool next_mac_is_wrong(void) {
  pthread_mutex_lock(&lock);
  bool wrong = spend(&flips);
  pthread_mutex_unlock(&lock);
  return wrong;
}

bool message_is_too_long(CK_ULONG length) {
  pthread_mutex_lock(&lock);
  bool too_long = longest_message != WITHOUT_END && length > (CK_ULONG)longest_message;
  pthread_mutex_unlock(&lock);
  return too_long;
}

// --- Commands ---

#define EACH(function, index) \
  for (int index = (function) == EVERY_FUNCTION ? 0 : (int)(function); \
       index < ((function) == EVERY_FUNCTION ? (int)FUNCTION_COUNT : (int)(function) + 1); index++)

void fault_fail(struct fault fault) {
  pthread_mutex_lock(&lock);
  EACH(fault.function, i) {
    rules[i].fail = fault.times;
    rules[i].code = fault.code;
  }
  pthread_mutex_unlock(&lock);
}

void fault_hang(struct fault fault) {
  pthread_mutex_lock(&lock);
  EACH(fault.function, i) rules[i].hang = fault.times;
  pthread_mutex_unlock(&lock);
}

static void release_all(void) {
  for (int i = 0; i < FUNCTION_COUNT; i++) rules[i].hang = 0;
  release_count++;
  pthread_cond_broadcast(&released);
}

void fault_release(void) {
  pthread_mutex_lock(&lock);
  release_all();
  pthread_mutex_unlock(&lock);
}

void fault_delay(enum function function, unsigned long micros) {
  pthread_mutex_lock(&lock);
  EACH(function, i) rules[i].delay_micros = micros;
  pthread_mutex_unlock(&lock);
}

void fault_invalidate_sessions(void) {
  pthread_mutex_lock(&lock);
  stop_calls();
  forget_sessions(true);
  resume_calls();
  pthread_mutex_unlock(&lock);
}

void fault_invalidate_objects(void) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < objects.count; i++) objects.entries[i].valid = false;
  pthread_mutex_unlock(&lock);
}

void fault_reuse_handles(bool on) {
  pthread_mutex_lock(&lock);
  reuse = on;
  pthread_mutex_unlock(&lock);
}

void fault_log_out(void) {
  pthread_mutex_lock(&lock);
  stop_calls();
  for (size_t i = 0; i < sessions.count; i++) {
    if (sessions.entries[i].open) {
      real->C_Logout(sessions.entries[i].real);
      break;
    }
  }
  resume_calls();
  pthread_mutex_unlock(&lock);
}

void fault_remove(bool away) {
  pthread_mutex_lock(&lock);
  stop_calls();
  removed = away;
  if (away) {
    forget_sessions(true);
    objects.count = 0;
  }
  resume_calls();
  pthread_mutex_unlock(&lock);
}

void fault_max_sessions(long max) {
  pthread_mutex_lock(&lock);
  max_sessions = max;
  pthread_mutex_unlock(&lock);
}

void fault_uninitialize(void) {
  pthread_mutex_lock(&lock);
  stop_calls();
  uninitialized = true;
  real_finalized = false;
  forget_sessions(true);
  resume_calls();
  pthread_mutex_unlock(&lock);
}

void fault_flip(long times) {
  pthread_mutex_lock(&lock);
  flips = times;
  pthread_mutex_unlock(&lock);
}

void fault_longest(long bytes) {
  pthread_mutex_lock(&lock);
  longest_message = bytes;
  pthread_mutex_unlock(&lock);
}

// Ends all faults. A module that needs initialization still needs it, and invalid handles stay invalid.
void fault_clear(void) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < FUNCTION_COUNT; i++) rules[i] = (struct rule){0};
  release_all();
  max_sessions = WITHOUT_END;
  flips = 0;
  longest_message = WITHOUT_END;
  removed = false;
  reuse = false;
  pthread_mutex_unlock(&lock);
}

void reset_counts(void) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < FUNCTION_COUNT; i++) counted.calls[i] = 0;
  pthread_mutex_unlock(&lock);
}

void count(struct counts *counts) {
  pthread_mutex_lock(&lock);
  *counts = counted;
  counts->sessions = open_sessions();
  pthread_mutex_unlock(&lock);
}
