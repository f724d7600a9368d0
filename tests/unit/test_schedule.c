/* When the gateway is asked although nobody waits: to the second, by the clock alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <apr_general.h>
#include <string.h>
#include "flow_int.h"

#define S(n) apr_time_from_sec(n)
#define T0 S(1764000000)

typedef struct scene_t {
    wxpay_order_t order;
    wxpay_attempt_t a[3];
    wxpay_attempt_t *list[3];
    wxpay_snapshot_t snap;
} scene_t;

static void set_scene(scene_t *s, int count)
{
    int i;

    memset(s, 0, sizeof(*s));
    s->order.state = WXPAY_ORDER_PENDING;
    s->order.expires_at = s->order.sweep_at = T0 + S(7200);
    for (i = 0; i < count; ++i) {
        s->list[i] = &s->a[i];
        s->a[i].state = WXPAY_ATTEMPT_OPEN;
        s->a[i].sent_at = T0;
        s->a[i].url_at = T0 + S(1);
        s->a[i].ask_at = T0 + S(15);
    }
    s->snap.order = &s->order;
    s->snap.attempts = s->list;
    s->snap.count = count;
}

static void lease(wxpay_attempt_t *a, wxpay_todo_e todo, apr_time_t now)
{
    a->todo = todo;
    a->next_at = now;
    a->lease_owner = "somebody";
    a->lease_until = now + S(30);
}

/* Somebody asks whenever it is due. */
static void the_dates_of_an_open_one(void **state)
{
    static const int dates[] = {15, 60, 180, 600, 1800};
    static const wxpay_attempt_state_e live[] = {WXPAY_ATTEMPT_SENT, WXPAY_ATTEMPT_OPEN,
                                                 WXPAY_ATTEMPT_CLOSING};
    scene_t s;
    int i;
    int k;

    (void)state;
    for (k = 0; k < 3; ++k) {
        set_scene(&s, 1);
        s.a[0].state = live[k];
        for (i = 0; i < 5; ++i) {
            assert_int_equal(wxpay_schedule_next(&s.a[0]), T0 + S(dates[i]));
            lease(&s.a[0], WXPAY_TODO_QUERY, T0 + S(dates[i]));
            wxpay_schedule_began(&s.a[0], T0 + S(dates[i]));
            assert_int_equal(s.a[0].asked_at, T0 + S(dates[i]));
            assert_int_equal(s.a[0].ask_at, i < 4 ? T0 + S(dates[i + 1]) : 0);
        }
    }
}

static void the_dates_of_a_closed_one(void **state)
{
    wxpay_api_result_t ok = {0};
    scene_t s;

    (void)state;
    set_scene(&s, 1);
    s.a[0].asked_at = T0 + S(7199);
    s.a[0].state = WXPAY_ATTEMPT_CLOSED;
    wxpay_schedule_ended(&s.a[0], WXPAY_ATTEMPT_CLOSING, WXPAY_TODO_CLOSE, &ok, T0 + S(7200));
    assert_int_equal(s.a[0].closed_at, T0 + S(7200));
    assert_int_equal(s.a[0].ask_at, T0 + S(7200 + 600));
    lease(&s.a[0], WXPAY_TODO_QUERY, T0 + S(7200 + 600));
    wxpay_schedule_began(&s.a[0], T0 + S(7200 + 600));
    s.a[0].todo = WXPAY_TODO_NONE;
    wxpay_schedule_ended(&s.a[0], WXPAY_ATTEMPT_CLOSED, WXPAY_TODO_QUERY, &ok, T0 + S(7801));
    assert_int_equal(s.a[0].closed_at, T0 + S(7200));
    assert_int_equal(s.a[0].ask_at, T0 + S(7200 + 86400));
    s.a[0].asked_at = T0 + S(7200 + 86400);
    assert_int_equal(wxpay_schedule_next(&s.a[0]), 0);
}

static void others_have_none(void **state)
{
    scene_t s;

    (void)state;
    set_scene(&s, 1);
    s.a[0].state = WXPAY_ATTEMPT_PAID;
    assert_int_equal(wxpay_schedule_next(&s.a[0]), 0);
    s.a[0].state = WXPAY_ATTEMPT_FAILED;
    assert_int_equal(wxpay_schedule_next(&s.a[0]), 0);
    s.a[0].sent_at = 0;
    s.a[0].state = WXPAY_ATTEMPT_CLOSED; /* taken back before it was sent */
    assert_int_equal(wxpay_schedule_next(&s.a[0]), 0);
    s.a[0].state = WXPAY_ATTEMPT_RESERVED;
    assert_int_equal(wxpay_schedule_next(&s.a[0]), 0);
}

/* Somebody else's query serves a date when it left just before it. */
static void any_query_counts(void **state)
{
    scene_t s;

    (void)state;
    set_scene(&s, 1);
    s.a[0].asked_at = T0 + S(10) - 1;
    assert_int_equal(wxpay_schedule_next(&s.a[0]), T0 + S(15));
    s.a[0].asked_at = T0 + S(10);
    assert_int_equal(wxpay_schedule_next(&s.a[0]), T0 + S(60));
    s.a[0].asked_at = T0 + S(1200); /* nothing swept for a while: one query makes up for it */
    assert_int_equal(wxpay_schedule_next(&s.a[0]), T0 + S(1800));
    s.a[0].asked_at = T0 + S(1900);
    assert_int_equal(wxpay_schedule_next(&s.a[0]), 0);
    lease(&s.a[0], WXPAY_TODO_SEND, T0 + S(12)); /* but a unifiedorder asks nothing */
    s.a[0].asked_at = 0;
    wxpay_schedule_began(&s.a[0], T0 + S(12));
    assert_int_equal(s.a[0].asked_at, 0);
    assert_int_equal(s.a[0].ask_at, T0 + S(15));
}

static void a_renewed_code_begins_anew(void **state)
{
    scene_t s;

    (void)state;
    set_scene(&s, 1);
    s.a[0].asked_at = T0 + S(1800);
    s.a[0].url_at = T0 + S(1800);
    assert_int_equal(wxpay_schedule_next(&s.a[0]), 0);
    s.a[0].url_at = T0 + S(9000);
    assert_int_equal(wxpay_schedule_next(&s.a[0]), T0 + S(9015));
}

/* The gateway cannot say: what would have been the last question is asked again. */
static void no_answer_after_closing(void **state)
{
    wxpay_api_result_t none = {0};
    wxpay_api_result_t refused = {0};
    scene_t s;

    (void)state;
    set_scene(&s, 1);
    s.a[0].state = WXPAY_ATTEMPT_CLOSED;
    s.a[0].closed_at = T0;
    s.a[0].asked_at = T0 + S(86400);
    wxpay_error_set(&none.err, WXPAY_ENET, "call", "cut");
    wxpay_schedule_ended(&s.a[0], WXPAY_ATTEMPT_CLOSED, WXPAY_TODO_QUERY, &none, T0 + S(86500));
    assert_int_equal(s.a[0].ask_at, T0 + S(86500 + 1800));
    s.a[0].todo = WXPAY_TODO_QUERY; /* the plan tries again by itself */
    wxpay_schedule_ended(&s.a[0], WXPAY_ATTEMPT_CLOSED, WXPAY_TODO_QUERY, &none, T0 + S(86500));
    assert_int_equal(s.a[0].ask_at, 0);
    s.a[0].todo = WXPAY_TODO_NONE;
    wxpay_schedule_ended(&s.a[0], WXPAY_ATTEMPT_CLOSED, WXPAY_TODO_QUERY, &none, T0 + S(3 * 86400));
    assert_int_equal(s.a[0].ask_at, 0);
    wxpay_error_set(&refused.err, WXPAY_EGATEWAY, "call", "no such order");
    wxpay_schedule_ended(&s.a[0], WXPAY_ATTEMPT_CLOSED, WXPAY_TODO_QUERY, &refused, T0 + S(86500));
    assert_int_equal(s.a[0].ask_at, 0);
}

static void what_is_due_becomes_a_query(void **state)
{
    scene_t s;

    (void)state;
    set_scene(&s, 3);
    assert_false(wxpay_schedule_ask(&s.snap, T0 + S(15) - 1));
    s.a[0].tries = 9;
    lease(&s.a[1], WXPAY_TODO_QUERY, T0 + S(14));
    s.a[2].todo = WXPAY_TODO_QUERY; /* backing off */
    s.a[2].next_at = T0 + S(40);
    assert_true(wxpay_schedule_ask(&s.snap, T0 + S(15)));
    assert_int_equal(s.a[0].todo, WXPAY_TODO_QUERY);
    assert_int_equal(s.a[0].next_at, T0 + S(15));
    assert_int_equal(s.a[0].tries, 0);
    assert_int_equal(s.a[1].next_at, T0 + S(14));
    assert_int_equal(s.a[2].next_at, T0 + S(40));
    assert_int_equal(s.a[2].ask_at, T0 + S(40));
    set_scene(&s, 1);
    s.a[0].state = WXPAY_ATTEMPT_PAID;
    assert_false(wxpay_schedule_ask(&s.snap, T0 + S(15)));
}

/* Unknown outcome means query, also where a call was to be repeated. */
static void a_repeat_waits_for_the_answer(void **state)
{
    scene_t s;

    (void)state;
    set_scene(&s, 1);
    s.a[0].state = WXPAY_ATTEMPT_SENT;
    s.a[0].todo = WXPAY_TODO_SEND;
    s.a[0].tries = 2;
    assert_true(wxpay_schedule_ask(&s.snap, T0 + S(30)));
    assert_int_equal(s.a[0].todo, WXPAY_TODO_QUERY);
    assert_int_equal(s.a[0].tries, 2);
}

static void the_end_of_its_time(void **state)
{
    apr_time_t end = T0 + S(7200);
    scene_t s;

    (void)state;
    set_scene(&s, 3);
    assert_false(wxpay_schedule_expire(&s.snap, end - 1));
    s.a[1].sent_at = end - S(60); /* sent shortly before */
    s.a[2].state = WXPAY_ATTEMPT_RESERVED;
    s.a[2].sent_at = 0;
    s.a[2].todo = WXPAY_TODO_SEND;
    assert_true(wxpay_schedule_expire(&s.snap, end));
    assert_int_equal(s.a[0].state, WXPAY_ATTEMPT_CLOSING);
    assert_int_equal(s.a[0].todo, WXPAY_TODO_QUERY);
    assert_int_equal(s.a[0].next_at, end);
    assert_true(s.a[0].close_at <= end);
    assert_int_equal(s.a[1].close_at, end + S(250));
    assert_int_equal(s.a[2].state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(s.a[2].todo, WXPAY_TODO_NONE);
    assert_int_equal(s.order.sweep_at, 0);
    assert_false(wxpay_schedule_expire(&s.snap, end + S(1)));
    assert_int_equal(wxpay_plan_order_state(&s.snap, end), WXPAY_ORDER_PENDING);
    s.a[0].state = s.a[1].state = WXPAY_ATTEMPT_CLOSED;
    assert_int_equal(wxpay_plan_order_state(&s.snap, end), WXPAY_ORDER_CLOSED);
    assert_int_equal(wxpay_plan_order_state(&s.snap, end - 1), WXPAY_ORDER_NEW);
    s.a[0].sent_at = s.a[1].sent_at = 0;
    s.order.state = WXPAY_ORDER_NEW;
    assert_int_equal(wxpay_plan_order_state(&s.snap, end), WXPAY_ORDER_EXPIRED);
    s.order.quarantined = 1;
    assert_int_equal(wxpay_plan_order_state(&s.snap, end), WXPAY_ORDER_NEW);
}

static void calls_under_way_at_the_end(void **state)
{
    apr_time_t end = T0 + S(7200);
    scene_t s;

    (void)state;
    set_scene(&s, 3);
    lease(&s.a[0], WXPAY_TODO_QUERY, end - S(1));
    lease(&s.a[1], WXPAY_TODO_SEND, end - S(1));
    s.a[2].state = WXPAY_ATTEMPT_CLOSING;
    s.a[2].todo = WXPAY_TODO_CLOSE;
    s.a[2].next_at = end + S(9);
    assert_true(wxpay_schedule_expire(&s.snap, end));
    assert_int_equal(s.a[0].next_at, end - S(1)); /* its answer will do */
    assert_int_equal(s.a[1].todo, WXPAY_TODO_QUERY);
    assert_int_equal(s.a[1].next_at, end);
    assert_int_equal(s.a[2].todo, WXPAY_TODO_CLOSE);
    assert_int_equal(s.a[2].next_at, end + S(9));
}

static void no_end_for_these(void **state)
{
    static const wxpay_order_state_e over[] = {WXPAY_ORDER_PAID, WXPAY_ORDER_CLOSED,
                                               WXPAY_ORDER_EXPIRED};
    scene_t s;
    int i;

    (void)state;
    for (i = 0; i < 3; ++i) {
        set_scene(&s, 1);
        s.order.state = over[i];
        assert_false(wxpay_schedule_expire(&s.snap, T0 + S(9000)));
    }
    set_scene(&s, 1);
    s.order.quarantined = 1; /* money is there: a person decides */
    assert_false(wxpay_schedule_expire(&s.snap, T0 + S(9000)));
    assert_int_equal(s.a[0].state, WXPAY_ATTEMPT_OPEN);
}

static void a_buyers_word(void **state)
{
    apr_time_t now = T0 + S(100);
    scene_t s;

    (void)state;
    set_scene(&s, 2);
    assert_true(wxpay_schedule_may_ask(&s.snap, now));
    s.a[1].asked_at = now - S(5) + 1;
    assert_false(wxpay_schedule_may_ask(&s.snap, now));
    s.a[1].asked_at = now - S(5);
    assert_true(wxpay_schedule_may_ask(&s.snap, now));
    lease(&s.a[0], WXPAY_TODO_QUERY, now - S(6));
    assert_false(wxpay_schedule_may_ask(&s.snap, now));
    s.a[0].lease_until = now;
    assert_true(wxpay_schedule_may_ask(&s.snap, now));
    s.a[1].state = WXPAY_ATTEMPT_CLOSED;
    wxpay_schedule_ask_open(&s.snap, now);
    assert_int_equal(s.a[0].next_at, now);
    assert_int_equal(s.a[1].todo, WXPAY_TODO_NONE);
    s.a[0].state = WXPAY_ATTEMPT_CLOSED;
    assert_false(wxpay_schedule_may_ask(&s.snap, now));
    set_scene(&s, 1);
    s.order.state = WXPAY_ORDER_PAID;
    assert_false(wxpay_schedule_may_ask(&s.snap, now));
}

/* One that ends later than any can was taken by a clock that was wrong. */
static void how_far_a_lease_reaches(void **state)
{
    scene_t s;

    (void)state;
    set_scene(&s, 1);
    lease(&s.a[0], WXPAY_TODO_QUERY, T0);
    s.a[0].lease_until = T0 + 1;
    assert_true(wxpay_plan_leased(&s.a[0], T0));
    assert_false(wxpay_plan_leased(&s.a[0], T0 + 1));
    s.a[0].lease_until = T0 + WXPAY_LEASE_MAX;
    assert_true(wxpay_plan_leased(&s.a[0], T0));
    assert_false(wxpay_plan_leased(&s.a[0], T0 - 1));
    assert_null(wxpay_plan_due(&s.snap, T0));
    s.a[0].lease_until++;
    assert_false(wxpay_plan_leased(&s.a[0], T0));
    assert_ptr_equal(wxpay_plan_due(&s.snap, T0), &s.a[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dates_of_an_open_one),
        cmocka_unit_test(the_dates_of_a_closed_one),
        cmocka_unit_test(others_have_none),
        cmocka_unit_test(any_query_counts),
        cmocka_unit_test(a_renewed_code_begins_anew),
        cmocka_unit_test(no_answer_after_closing),
        cmocka_unit_test(what_is_due_becomes_a_query),
        cmocka_unit_test(a_repeat_waits_for_the_answer),
        cmocka_unit_test(the_end_of_its_time),
        cmocka_unit_test(calls_under_way_at_the_end),
        cmocka_unit_test(no_end_for_these),
        cmocka_unit_test(a_buyers_word),
        cmocka_unit_test(how_far_a_lease_reaches),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
