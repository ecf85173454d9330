// A PKCS#11 module in front of a real one: it counts every call, and fails, delays and changes what it is told to.
//
// faults.c decides what happens to a call, module.c passes calls on, control.c takes the commands.
#ifndef HMACD_FAULT_H
#define HMACD_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include <p11-kit/pkcs11.h>

// All functions of PKCS#11 2.40 but C_GetFunctionList, in the order of its function list.
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
  CK_SESSION_HANDLE session; // The real one.
  size_t entry;              // Of the session, in a table of its own.
  bool in_session;
  bool injected; // It fails because it was told to.
};

// Counts a call, holds it up, and says what it answers without the real module: CKR_OK when it is to be passed on.
// Each enter has its leave, whatever it answers.
CK_RV enter(struct call *call, enum function function);
CK_RV enter_session(struct call *call, enum function function, CK_SESSION_HANDLE session);
CK_RV leave(struct call *call, CK_RV rv);

// Whether there is room for a session; then session_opened or not_opened follows.
CK_RV may_open(void);
void not_opened(void);
CK_SESSION_HANDLE session_opened(CK_SESSION_HANDLE real_session);
void session_closed(const struct call *call);
void all_sessions_closed(void);

// The handle that the caller has for a real object, and the other way round.
CK_OBJECT_HANDLE object_given(CK_OBJECT_HANDLE real_object);
CK_RV object_named(CK_OBJECT_HANDLE given, CK_OBJECT_HANDLE *real_object);

// Whether the module may be finalized now; a caller that does it while calls are under way is noted.
CK_RV may_finalize(void);
CK_RV finalized(void);
CK_RV may_initialize(void);
void initialized(void);

// A C_Login was answered CKR_USER_ALREADY_LOGGED_IN.
void needless_login(void);

bool token_is_removed(void);
bool next_mac_is_wrong(void);

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
void fault_clear(void);
void reset_counts(void);

struct counts {
  unsigned long calls[FUNCTION_COUNT];
  unsigned long sessions;   // That are open and valid.
  unsigned long inside;     // Calls under way.
  unsigned long hanging;    // Of these, calls that are told to hang.
  unsigned long violations; // C_Finalize while calls were under way.
  unsigned long needless_logins; // C_Login while the application was logged in.
};
void count(struct counts *counts);

// --- The socket that commands come on (control.c) ---

void serve_control(const char *path);

#endif
