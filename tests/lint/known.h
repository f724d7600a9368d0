/* known.h - what clang's analyzer cannot see from one file: wxpay_error_set() and its like return
 * the code they are given. `make lint` includes it in front of each file; no build does. */
#include "error.h"

#define wxpay_error_set(err, code, ...) (wxpay_error_set((err), (code), __VA_ARGS__), (code))
#define wxpay_error_named(err, code, ...) (wxpay_error_named((err), (code), __VA_ARGS__), (code))
#define wxpay_error_field(err, ...) (wxpay_error_field((err), __VA_ARGS__), WXPAY_EINPUT)
