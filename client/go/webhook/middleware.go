package webhook

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	hmacd "hmacd.dev/client/go"
)

// Middleware returns a middleware that verifies each request before the handler. The handler can read
// the body again. Middleware panics if there is no key, or a key has another algorithm than
// HMAC_SHA_256.
//
// The middleware answers 401 for a wrong or missing signature, 413 for a body that is too long, and
// 400 for a body that is empty or not readable. Without a verdict, it answers 503. The sender then
// sends the webhook again.
func Middleware(scheme Scheme, keys ...*hmacd.Key) func(http.Handler) http.Handler {
	if err := checkKeys(keys...); err != nil {
		panic("webhook: " + err.Error())
	}
	return func(handler http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, status := read(w, r, keys[0].MaxMessageBytes())
			if status == 0 {
				status = statusOf(scheme.Verify(r.Context(), r.Header, body, keys...))
			}
			if status != 0 {
				http.Error(w, http.StatusText(status), status)
				return
			}
			verified := r.WithContext(r.Context())
			verified.Body = io.NopCloser(bytes.NewReader(body))
			handler.ServeHTTP(w, verified)
		})
	}
}

// read returns the body, or the status of its refusal.
func read(w http.ResponseWriter, r *http.Request, limit int) (body []byte, status int) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, http.StatusRequestEntityTooLarge
	case err != nil || len(body) == 0:
		return nil, http.StatusBadRequest
	default:
		return body, 0
	}
}

// statusOf returns the status of an error of Verify, and 0 only without an error.
func statusOf(err error) int {
	var tooLong *hmacd.MessageTooLongError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, hmacd.ErrInvalidMAC):
		return http.StatusUnauthorized
	case errors.As(err, &tooLong):
		return http.StatusRequestEntityTooLarge
	default:
		return http.StatusServiceUnavailable
	}
}
