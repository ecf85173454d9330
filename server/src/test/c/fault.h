// A PKCS#11 module in front of a real one. It counts all calls, and injects failures, delays and wrong results.
//
// faults.c selects the fault of a call, module.c forwards calls, control.c reads commands.
#ifndef HMACD_FAULT_H
#define HMACD_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include <p11-kit/pkcs11.h>

// All functions of PKCS#11 2.40 except C_GetFunctionList, in the order of the function list.
#define FUNCTIONS(X) \
  X(C_Initialize) X(C_Finalize) X(C_GetInfo) X(C_GetSlotList) X(C_GetSlotInfo) X(C_GetTokenInfo) \
  X(C_GetMechanismList) X(C_GetMechanismInfo) X(C_InitToken) X(C_InitPIN) X(C_SetPIN) X(C_OpenSession) \
  X(C_CloseSession) X(C_CloseAllSessions) X(C_GetSessionInfo) X(C_GetOperationState) X(C_SetOperationState) \
  X(C_Login) X(C_Logout) X(C_CreateObject) X(C_CopyObject) X(C_DestroyObject) X(C_GetObjectSize) \
  X(C_GetAttributeValue) X(C_SetAttributeValue) X(C_FindObjectsInit) X(C_FindObjects) X(C_FindObjectsFinal) \
  X(C_EncryptInit) X(C_Encrypt) X(C_EncryptUpdate) X(C_EncryptFinal) X(C_DecryptInit) X(C_Decrypt) \
  X(C_DecryptUpdate) X(C_DecryptFinal) X(C_DigestInit) X(C_Digest) X(C_DigestUpdate) X(C_DigestKey) \
  X(C_DigestFinal) X(C_SignInit) X(C_Sign) X(C_SignUpdate) X(C_SignFinal) X(C_SignRecoverInit) X(C_SignRecover) \
  X(C_VerifyInit) X(C_Verify) X(C_VerifyUpdate) X(C_VerifyFinal) X(C_VerifyRecoverInit) X(C_VerifyRecover) \
  X(C_DigestEncryptUpdate) X(C_DecryptDigestUpdate) X(C_SignEncryptUpdate) X(C_DecryptVerifyUpdate) \
  X(C_GenerateKey) X(C_GenerateKeyPair) X(C_WrapKey) X(C_UnwrapKey) X(C_DeriveKey) X(C_SeedRandom) \
  X(C_GenerateRandom) X(C_GetFunctionStatus) X(C_CancelFunction) X(C_WaitForSlotEvent)

#define ENUMERATED(name) F_##name,
enum function { FUNCTIONS(ENUMERATED) FUNCTION_COUNT };
#undef ENUMERATED

#define EVERY_FUNCTION FUNCTION_COUNT
#define WITHOUT_END (-1L)

// The real module; set before any call.
extern CK_FUNCTION_LIST *real;

// --- Calls (faults.c). All of them are thread-safe. ---

struct call {
  enum function function;
  CK_SESSION_HANDLE session; // Handle in the real module.
  size_t entry;              // Index in the table of sessions.
  bool in_session;
  bool injected; // The failure is injected.
};

// Counts a call, delays or blocks it, and returns its injected code; CKR_OK if the call is to be forwarded.
// Each enter needs a leave, for any returned code.
CK_RV enter(struct call *call, enum function function);
CK_RV enter_session(struct call *call, enum function function, CK_SESSION_HANDLE session);
CK_RV leave(struct call *call, CK_RV rv);

// Whether another session may be opened. If so, session_opened or not_opened must follow.
CK_RV may_open(void);
void not_opened(void);
CK_SESSION_HANDLE session_opened(CK_SESSION_HANDLE real_session);
void session_closed(const struct call *call);
void all_sessions_closed(void);

// The caller's handle of an object of the real module, and the reverse.
CK_OBJECT_HANDLE object_given(CK_OBJECT_HANDLE real_object);
CK_RV object_named(CK_OBJECT_HANDLE given, CK_OBJECT_HANDLE *real_object);

// Whether the module may be finalized. Counts a violation if calls are in flight.
CK_RV may_finalize(void);
CK_RV finalized(void);
CK_RV may_initialize(void);
void initialized(void);

// Counts a C_Login that returned CKR_USER_ALREADY_LOGGED_IN.
void needless_login(void);

bool token_is_removed(void);
bool next_mac_is_wrong(void);
bool message_is_too_long(CK_ULONG length);

// --- Commands (faults.c) ---

struct fault {
  enum function function; // Or EVERY_FUNCTION.
  long times;             // Or WITHOUT_END.
  CK_RV code;
};

void fault_fail(struct fault fault);
void fault_hang(struct fault fault);
void fault_release(void);
void fault_delay(enum function function, unsigned long micros);
void fault_invalidate_sessions(void);
void fault_invalidate_objects(void);
void fault_reuse_handles(bool reuse);
void fault_log_out(void);
void fault_remove(bool removed);
void fault_max_sessions(long max);
void fault_uninitialize(void);
void fault_flip(long times);
void fault_longest(long bytes);
void fault_clear(void);
void reset_counts(void);

struct counts {
  unsigned long calls[FUNCTION_COUNT];
  unsigned long sessions;   // Open and valid sessions.
  unsigned long inside;     // Calls in flight.
  unsigned long hanging;    // Calls in flight that are blocked by a command.
  unsigned long violations; // C_Finalize while calls were in flight.
  unsigned long needless_logins; // C_Login while the application was logged in.
};
void count(struct counts *counts);

// --- The command socket (control.c) ---

void serve_control(const char *path);

#endif
