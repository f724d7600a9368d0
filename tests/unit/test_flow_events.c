/* What an order's events become: told to the application once they are committed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "flow_int.h"
#include "flow_rig.h"
#include "outbox.h"

#define TXN "4200000000202611240000000001" /* the one that the rig's queries tell */
#define POSTS 8

/* The application: takes everything, when the test says so. */
static struct {
    wxpay_http_done_fn *done;
    void *baton;
    char body[4096];
} posts[POSTS];
static atomic_int posted;
static wxpay_outbox_t *outbox;
static wxpay_target_t target;
static atomic_int down;

static wxpay_rc_e post(void *impl, const wxpay_http_request_t *request, wxpay_http_done_fn *done,
                       void *baton, wxpay_error_t *err)
{
    int i = atomic_load(&posted);

    (void)impl;
    (void)err;
    assert_true(i < POSTS);
    posts[i].done = done;
    posts[i].baton = baton;
    apr_cpystrn(posts[i].body, request->body, sizeof(posts[i].body));
    atomic_store(&posted, i + 1);
    return WXPAY_OK;
}

static const wxpay_account_t *find(void *baton, const char *mch_id, const char *site)
{
    const rig_t *rig = baton;

    return !strcmp(mch_id, rig->account.mch_id) && !strcmp(site, rig->account.site) ? &rig->account
                                                                                    : NULL;
}

static int setup(void **state)
{
    static const wxpay_transport_t transport = {post, NULL};
    rig_t *rig = calloc(1, sizeof(*rig));
    wxpay_outbox_options_t options = {
        .transport = &transport, .sites = {find, rig}, .targets = 1, .down = &down};
    wxpay_flow_options_t flow = {0};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig_start(rig);
    atomic_store(&posted, 0);
    target.types = WXPAY_EVENT_BIT(WXPAY_EVENT_PAID) | WXPAY_EVENT_BIT(WXPAY_EVENT_ORPHAN);
    target.url = "https://app.example/paid";
    target.key = wxpay_secret_create(rig->pool, "0123456789abcdef0123456789abcdef", 32);
    rig->account.target = &target;
    rig->account.previous_until = apr_time_now() + apr_time_from_sec(3600);
    rig->paid_fee = 100;
    options.store = rig->store;
    assert_int_equal(wxpay_outbox_create(rig->pool, &options, &outbox, &err), WXPAY_OK);
    flow.store = rig->store;
    flow.api = rig->flow->api;
    flow.now = rig->flow->now;
    flow.outbox = outbox;
    assert_int_equal(wxpay_flow_create(rig->pool, &flow, &rig->flow, &err), WXPAY_OK);
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    *state = rig;
    return 0;
}

/* The application answers, and that is recorded. */
static void take_all(rig_t *rig)
{
    wxpay_http_reply_t reply = {.status = 200, .body = "", .request_id = "", .host = "app"};
    wxpay_error_t err;
    int i;

    wxpay_error_clear(&err);
    for (i = 0; i < atomic_load(&posted); i++) {
        if (posts[i].done) {
            posts[i].done(posts[i].baton, &reply, &err);
            posts[i].done = NULL;
        }
    }
    for (i = 0; i < 500 && rig_count(rig, "SELECT count(*) FROM events WHERE state = 'pending'");
         i++) {
        usleep(10000);
    }
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE state = 'pending'"), 0);
}

static int teardown(void **state)
{
    take_all(*state);
    rig_stop(*state);
    free(*state);
    return 0;
}

static void wait_posts(int count)
{
    int i;

    for (i = 0; i < 500 && atomic_load(&posted) < count; i++) {
        usleep(10000);
    }
    assert_int_equal(atomic_load(&posted), count);
}

static void a_notice_is_passed_on_once(void **state)
{
    rig_t *rig = *state;
    int success;

    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 100), &success),
                     WXPAY_VERDICT_PAID);
    assert_int_equal(atomic_load(&posted), 1);
    assert_non_null(strstr(posts[0].body, "{\"type\":\"order.paid\",\"timestamp\":\""));
    assert_non_null(strstr(posts[0].body, "\"data\":{\"out_trade_no\":\"A1\",\"state\":\"PAID\""));
    take_all(rig);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 100), &success),
                     WXPAY_VERDICT_DUPLICATE);
    assert_int_equal(atomic_load(&posted), 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events"), 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE state = 'delivered'"), 1);
}

static void what_a_query_finds_is_passed_on(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    rig_says(rig, RIG_OK, "SUCCESS");
    assert_int_equal(rig_query(rig, "A1", &snap, &err), WXPAY_OK);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PAID);
    assert_int_equal(atomic_load(&posted), 1);
    assert_non_null(strstr(posts[0].body, "\"type\":\"order.paid\""));
}

static void orphans_are_passed_on(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n;
    int success;

    rig->account.deliver_orphans = 1;
    assert_int_equal(
        rig_notify(rig, rig_notice(rig, "X9", "4200000000202611240000000009", 100), &success),
        WXPAY_VERDICT_ORPHAN);
    assert_int_equal(atomic_load(&posted), 1);
    assert_non_null(strstr(posts[0].body, "{\"type\":\"order.orphan\",\"timestamp\":\""));
    assert_non_null(strstr(posts[0].body, "\"data\":{\"out_trade_no\":\"X9\",\"transaction_id\":"
                                          "\"4200000000202611240000000009\",\"total_fee\":100,"
                                          "\"fee_type\":\"CNY\",\"attach\":\"a1\"}}"));
    /* and those that the gateway has to confirm first */
    rig_says(rig, RIG_OK, "SUCCESS");
    n = rig_notice(rig, "X8", TXN, 100);
    n->previous_key = 1;
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_UNCONFIRMED);
    wait_posts(2);
    assert_non_null(strstr(posts[1].body, "\"out_trade_no\":\"X8\""));
}

static void what_nobody_wants_stays_here(void **state)
{
    rig_t *rig = *state;
    int success;

    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 99), &success),
                     WXPAY_VERDICT_QUARANTINE);
    assert_int_equal(atomic_load(&posted), 0);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE state = 'unwanted'"), 1);
}

#define T(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_notice_is_passed_on_once),
        T(what_a_query_finds_is_passed_on),
        T(orphans_are_passed_on),
        T(what_nobody_wants_stays_here),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("events of orders", tests, NULL, NULL);
}
