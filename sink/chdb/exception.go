package chdb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// httpStatus maps ClickHouse's codes to HTTP as ClickHouse does.
func httpStatus(code int) int {
	switch code {
	case 194: // REQUIRED_PASSWORD
		return http.StatusUnauthorized
	case 192, 193, codeAuthFailed, 497, 291: // UNKNOWN_USER, WRONG_PASSWORD, ACCESS_DENIED
		return http.StatusForbidden
	case 6, 26, 27, 33, 38, 41, 43, 44, 53, 62, 69, 70, 72, 117, 130, 131, 407, 420, codeBadArguments, codeCannotDecompress: // what cannot be parsed or typed
		return http.StatusBadRequest
	case 16, 46, 47, 50, 56, 60, 63, 73, 81, 115, 336: // UNKNOWN_... and NO_SUCH_COLUMN
		return http.StatusNotFound
	case 57, 82: // TABLE_ALREADY_EXISTS, DATABASE_ALREADY_EXISTS
		return http.StatusConflict
	case codeTooManyBytes:
		return http.StatusRequestEntityTooLarge
	case codeNotImplemented:
		return http.StatusNotImplemented
	case codeTooManyQueries, codeAborted:
		return http.StatusServiceUnavailable
	case 159: // TIMEOUT_EXCEEDED
		return http.StatusRequestTimeout
	}
	return http.StatusInternalServerError
}

// asException makes an Exception of whatever went wrong in a request.
func asException(err error) *Exception {
	var known *Exception
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLarge):
		return &Exception{Code: codeTooManyBytes, Message: fmt.Sprintf("The request's body is larger than %d bytes; send less at once. (TOO_MANY_BYTES)", tooLarge.Limit)}
	case errors.Is(err, ErrClosed), errors.Is(err, ErrNotBuilt):
		return &Exception{Code: codeAborted, Message: err.Error() + ". (ABORTED)"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Exception{Code: codeQueryCancelled, Message: err.Error() + ". (QUERY_WAS_CANCELLED)"}
	}
	return &Exception{Code: codeStdException, Message: err.Error() + ". (STD_EXCEPTION)"}
}

func badRequest(format string, args ...any) *Exception {
	return &Exception{Code: codeBadArguments, Message: fmt.Sprintf(format, args...) + ". (BAD_ARGUMENTS)"}
}

func notImplemented(format string, args ...any) *Exception {
	return &Exception{Code: codeNotImplemented, Message: fmt.Sprintf(format, args...) + ". (NOT_IMPLEMENTED)"}
}
