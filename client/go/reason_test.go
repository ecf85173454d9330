package hmacd

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReasonsAreThoseOfTheContract compares the constants and the marks [retry] with the contract.
// DEADLINE_EXCEEDED has no mark, because its deadline bounds all attempts: a later call may succeed.
func TestReasonsAreThoseOfTheContract(t *testing.T) {
	contract, err := os.ReadFile("../../proto/hmacd/v1/error_reason.proto")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	values := regexp.MustCompile(`((?:  //.*\n)+)  ERROR_REASON_(\w+) = [1-9]`).FindAllStringSubmatch(string(contract), -1)
	if len(values) != len(daemonReasons()) {
		t.Fatalf("the contract has %d reasons, the stubs %d", len(values), len(daemonReasons()))
	}
	for _, value := range values {
		comment, reason := value[1], Reason(value[2])
		marked := strings.Contains(comment, "[retry]") || reason == ReasonDeadlineExceeded
		if marked != reason.retryable() {
			t.Errorf("%s: retryable is %v", reason, !marked)
		}
		if !strings.Contains(string(source), ` Reason = "`+string(reason)+`"`) {
			t.Errorf("%s has no constant", reason)
		}
	}
}

func TestRetryableLocalReasons(t *testing.T) {
	for reason, want := range map[Reason]bool{
		ReasonConnectionFailed: true, ReasonDeadlineExceeded: true, ReasonTLSFailed: false, ReasonCancelled: false,
		ReasonClosed: false, ReasonMessageTooLong: false, ReasonInvalidArgument: false,
	} {
		if reason.retryable() != want {
			t.Errorf("%s: want %v", reason, want)
		}
	}
}

func TestOnlyChecksBeforeTheExecutionExcludeIt(t *testing.T) {
	for reason, want := range map[Reason]bool{
		ReasonMessageTooLong: false, ReasonRequestTooLong: false, ReasonAccessDenied: false, ReasonInvalidField: false, ReasonTokenBusy: false,
		ReasonKMSInvalidMAC: true, ReasonInternal: true, ReasonStopping: true, "NEWER_REASON": true,
	} {
		if reason.mayHaveRun() != want {
			t.Errorf("%s: want %v", reason, want)
		}
	}
}
