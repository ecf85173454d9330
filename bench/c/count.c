/*
 * A PKCS#11 module in front of another: it counts MACs, and can delay calls as a network HSM does.
 *
 * HMACD_BENCH_MODULE is the module behind it. HMACD_BENCH_COUNT is a file of sizeof(struct shared)
 * bytes. The benchmark makes the file, reads the counts from it, and writes the delay to it while this
 * module runs. scripts/bench_servers.py has the same layout.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#define MAX_MESSAGE 4096
#define TRIES 32

struct shared {
  /* The additional nanoseconds of each C_SignInit and each C_Sign. The benchmark writes it. */
  _Atomic uint64_t delay;
  /* The excess of a sleep on an idle machine, in nanoseconds. Sleeps are shorter by this time. */
  _Atomic uint64_t overshoot;
  _Atomic uint64_t slept; /* Nanoseconds, all threads. */
  _Atomic uint64_t sleeps;
  _Atomic uint64_t length_queries;           /* Calls of C_Sign for the length of the MAC only. */
  _Atomic uint64_t failed;                   /* Calls of C_SignInit and C_Sign without CKR_OK. */
  _Atomic uint64_t signed_[MAX_MESSAGE + 2]; /* MACs of C_Sign, by the bytes of the message. */
};

static struct shared *shared;
static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST ours;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void add(_Atomic uint64_t *to, uint64_t n) { atomic_fetch_add_explicit(to, n, memory_order_relaxed); }

static uint64_t get(_Atomic uint64_t *from) { return atomic_load_explicit(from, memory_order_relaxed); }

/* Sleeps until a time, without the kernel's default timer slack of 50 us. */
static void sleep_until(uint64_t end) {
  static _Thread_local int exact;
  if (!exact) {
    prctl(PR_SET_TIMERSLACK, 1UL);
    exact = 1;
  }
  struct timespec t = {.tv_sec = (time_t)(end / 1000000000u), .tv_nsec = (long)(end % 1000000000u)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
  }
}

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint64_t measured_overshoot(void) {
  uint64_t over[TRIES];
  for (int i = 0; i < TRIES; i++) {
    uint64_t end = now() + 200000;
    sleep_until(end);
    over[i] = now() - end;
  }
  qsort(over, TRIES, sizeof over[0], ascending);
  return over[TRIES / 2];
}

static void be_slow(void) {
  uint64_t delay = get(&shared->delay);
  if (delay == 0) {
    return;
  }
  uint64_t start = now(), over = get(&shared->overshoot);
  sleep_until(start + (delay > over ? delay - over : 0));
  add(&shared->slept, now() - start);
  add(&shared->sleeps, 1);
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
  be_slow();
  CK_RV rv = real->C_SignInit(session, mechanism, key);
  if (rv != CKR_OK) {
    add(&shared->failed, 1);
  }
  return rv;
}

static CK_RV sign(CK_SESSION_HANDLE session, unsigned char *data, unsigned long length, unsigned char *mac,
                  unsigned long *mac_length) {
  if (mac != NULL) { /* The length of a MAC needs no HSM. */
    be_slow();
  }
  CK_RV rv = real->C_Sign(session, data, length, mac, mac_length);
  if (rv != CKR_OK) {
    add(&shared->failed, 1);
  } else if (mac == NULL) {
    add(&shared->length_queries, 1);
  } else {
    add(&shared->signed_[length <= MAX_MESSAGE ? length : MAX_MESSAGE + 1], 1);
  }
  return rv;
}

static CK_RV function_list(CK_FUNCTION_LIST **list) {
  if (list == NULL) {
    return CKR_ARGUMENTS_BAD;
  }
  *list = &ours;
  return CKR_OK;
}

static void *failed(const char *what, const char *why) {
  fprintf(stderr, "count: %s: %s\n", what, why);
  return NULL;
}

static struct shared *mapped(const char *path) {
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) {
    return failed(path, strerror(errno));
  }
  void *map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return map == MAP_FAILED ? failed(path, strerror(errno)) : map;
}

static CK_FUNCTION_LIST *loaded(const char *path) {
  void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (module == NULL) {
    return failed(path, dlerror());
  }
  CK_C_GetFunctionList get_list;
  CK_FUNCTION_LIST *list;
  *(void **)&get_list = dlsym(module, "C_GetFunctionList");
  if (get_list == NULL || get_list(&list) != CKR_OK) {
    return failed(path, "no C_GetFunctionList");
  }
  return list;
}

/* Callers load a module in one thread. */
CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
  if (real == NULL) {
    const char *file = getenv("HMACD_BENCH_COUNT"), *module = getenv("HMACD_BENCH_MODULE");
    if (file == NULL || module == NULL) {
      failed("HMACD_BENCH_COUNT, HMACD_BENCH_MODULE", "not set");
      return CKR_GENERAL_ERROR;
    }
    shared = mapped(file);
    CK_FUNCTION_LIST *behind = shared == NULL ? NULL : loaded(module);
    if (behind == NULL) {
      return CKR_GENERAL_ERROR;
    }
    shared->overshoot = measured_overshoot();
    ours = *behind;
    ours.C_GetFunctionList = function_list;
    ours.C_SignInit = sign_init;
    ours.C_Sign = sign;
    real = behind;
  }
  return function_list(list);
}
