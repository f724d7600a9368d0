#include "counters.h"
#include "flow.h"
#include <http_config.h>
#include <ap_mpm.h>
#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#define RETAINED "mod_wxpay_counters"

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share these numbers without a lock");

/* What stays behind when the module is unloaded: the address does, its meaning may not. */
typedef struct retained_t {
    void *memory;
    apr_size_t size;
} retained_t;

/* What a notification can be answered with; queries that find a payment are no notifications. */
static const char *const notices[] = {"paid",    "duplicate",  "notpaid", "overpaid",
                                      "orphan",  "quarantine", "refund",  "unconfirmed",
                                      "refused", "unrecorded", NULL};

static_assert(sizeof(notices) / sizeof(notices[0]) <= MOD_WXPAY_NOTICES, "a place for each");

mod_wxpay_counters_t *mod_wxpay_counters_find(void)
{
    retained_t *retained = ap_retained_data_get(RETAINED);
    mod_wxpay_counters_t *counters;

    if (!retained) {
        retained = ap_retained_data_create(RETAINED, sizeof(*retained));
    }
    if (retained->memory && retained->size == sizeof(*counters)) {
        return retained->memory;
    }
    /* Children of another version may still count in the old memory: it stays mapped there. */
    if (retained->memory) {
        munmap(retained->memory, retained->size);
        retained->memory = NULL;
    }
    counters =
        mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counters == MAP_FAILED) {
        return NULL;
    }
    counters->since = apr_time_now();
    retained->memory = counters;
    retained->size = sizeof(*counters);
    return counters;
}

const char *mod_wxpay_notice_name(int n)
{
    return notices[n];
}

void mod_wxpay_count_notice(mod_wxpay_counters_t *counters, const char *verdict)
{
    int n = 0;

    while (notices[n] && strcmp(notices[n], verdict) != 0) {
        n++;
    }
    if (notices[n]) {
        atomic_fetch_add(&counters->notices[n], 1);
    }
}

static mod_wxpay_outcome_e outcome_of(const wxpay_error_t *err)
{
    if (err->code == WXPAY_OK) {
        return MOD_WXPAY_CALL_OK;
    }
    if (err->flags & WXPAY_ERR_AMBIGUOUS) {
        return MOD_WXPAY_CALL_UNCLEAR;
    }
    if (err->code == WXPAY_EGATEWAY) {
        return MOD_WXPAY_CALL_REFUSED;
    }
    return err->code == WXPAY_EBUSY ? MOD_WXPAY_CALL_BUSY : MOD_WXPAY_CALL_UNREACHABLE;
}

void mod_wxpay_count_call(mod_wxpay_counters_t *counters, wxpay_op_e op, const wxpay_error_t *err,
                          apr_time_t now)
{
    mod_wxpay_outcome_e outcome = outcome_of(err);

    atomic_fetch_add(&counters->calls[op][outcome], 1);
    if (outcome != MOD_WXPAY_CALL_OK &&
        !(outcome == MOD_WXPAY_CALL_REFUSED && wxpay_api_is_everyday(err->err_code))) {
        atomic_store(&counters->last_error, (unsigned long long)apr_time_sec(now) << 16 |
                                                (unsigned long long)op << 8 |
                                                (unsigned long long)err->code);
    }
}

const char *mod_wxpay_outcome_name(mod_wxpay_outcome_e outcome)
{
    static const char *const names[] = {"ok", "refused", "unclear", "unreachable", "busy"};

    return names[outcome];
}
