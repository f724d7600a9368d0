/* test_base.c - error, log, secret, buf, money, clock, account. */
#include "support.h"

#include <string.h>

#include <apr_strings.h>

#include "account.h"
#include "buf.h"
#include "clock.h"
#include "error.h"
#include "log.h"
#include "money.h"
#include "secret.h"
#include "text.h"

static void text_is_one_line_of_whole_characters(void **state)
{
    char controls[] = "a\r\nb\x7f\t";
    char cut[] = "ok \xe5\xae";
    char whole[] = "ok \xe5\xae\x89";
    char emoji[] = "\xf0\x9f\x98";
    char lonely[] = "\x80";
    char empty[] = "";

    (void)state;
    wxpay_text_tidy(controls);
    assert_string_equal(controls, "a??b??");
    wxpay_text_tidy(cut);
    assert_string_equal(cut, "ok ");
    wxpay_text_tidy(whole);
    assert_string_equal(whole, "ok \xe5\xae\x89");
    wxpay_text_tidy(emoji);
    assert_string_equal(emoji, "");
    wxpay_text_tidy(lonely);
    wxpay_text_tidy(empty);
    assert_string_equal(empty, "");
}

static void error_says_what_and_where(void **state)
{
    wxpay_error_t err;
    int i;

    (void)state;
    memset(&err, 0xff, sizeof(err));
    wxpay_error_clear(&err);
    assert_int_equal(err.code, WXPAY_OK);
    assert_string_equal(err.detail, "");
    assert_int_equal(wxpay_error_field(&err, "intake", "total_fee", "is %d", 7), WXPAY_EINPUT);
    assert_string_equal(err.field, "total_fee");
    assert_string_equal(err.detail, "is 7");
    assert_int_equal(wxpay_error_named(&err, WXPAY_EPARSE, "x", "a\nb", "y"), WXPAY_EPARSE);
    assert_string_equal(err.field, "a?b");
    err.flags = WXPAY_ERR_RETRY;
    assert_int_equal(wxpay_error_set(&err, WXPAY_ENET, "call", "line\r\nbreak"), WXPAY_ENET);
    assert_string_equal(err.field, "");
    assert_string_equal(err.step, "call");
    assert_string_equal(err.detail, "line??break");
    assert_int_equal(err.flags, 0);
    assert_int_equal(wxpay_error_set(NULL, WXPAY_EBUSY, "x", "y"), WXPAY_EBUSY);
    assert_int_equal(wxpay_error_field(NULL, "x", "y", "z"), WXPAY_EINPUT);
    for (i = WXPAY_OK; i <= WXPAY_EINTERNAL; i++) {
        assert_string_not_equal(wxpay_rc_name((wxpay_rc_e)i), "unknown");
    }
    assert_string_equal(wxpay_rc_name((wxpay_rc_e)99), "unknown");
}

static void error_is_cut_between_characters(void **state)
{
    wxpay_error_t err;
    char long_text[400];
    apr_size_t i;

    for (i = 0; i + 3 < sizeof(long_text); i += 3) {
        memcpy(long_text + i, "\xe5\xae\x89", 3);
    }
    long_text[i] = '\0';
    wxpay_error_set(&err, WXPAY_EINPUT, "x", "%s", long_text);
    assert_int_equal(strlen(err.detail), 255);
    wxpay_error_set(&err, WXPAY_EINPUT, "x", ".%s", long_text);
    assert_int_equal(strlen(err.detail), 253);
    (void)state;
}

typedef struct sink_t {
    char line[2048];
    int level;
    int calls;
} sink_t;

static void sink_write(void *baton, wxpay_log_level_e level, const char *line)
{
    sink_t *sink = baton;

    apr_cpystrn(sink->line, line, sizeof(sink->line));
    sink->level = (int)level;
    sink->calls++;
}

static int sink_wants(void *baton, wxpay_log_level_e level)
{
    (void)baton;
    return level <= WXPAY_LOG_INFO;
}

static void log_asks_then_writes_one_line(void **state)
{
    sink_t sink = {"", 0, 0};
    wxpay_log_t log = {sink_wants, sink_write, &sink};
    char *big = apr_palloc(*state, 3000);

    wxpay_log(NULL, WXPAY_LOG_ERR, "nobody");
    wxpay_log(&log, WXPAY_LOG_DEBUG, "not wanted");
    assert_int_equal(sink.calls, 0);
    wxpay_log(&log, WXPAY_LOG_WARN, "a\n%s", "b");
    assert_string_equal(sink.line, "a?b");
    assert_int_equal(sink.level, WXPAY_LOG_WARN);
    memset(big, 'x', 2999);
    big[2999] = '\0';
    wxpay_log(&log, WXPAY_LOG_INFO, "%s", big);
    assert_int_equal(strlen(sink.line), 1023);
    log.wants = NULL;
    wxpay_log(&log, WXPAY_LOG_TRACE, "all");
    assert_string_equal(sink.line, "all");
}

static void secret_equals_itself_only(void **state)
{
    wxpay_secret_t *secret = wxpay_secret_create(*state, "s3cret", 6);
    wxpay_secret_t *empty = wxpay_secret_create(*state, NULL, 0);

    assert_int_equal(wxpay_secret_len(secret), 6);
    assert_true(wxpay_secret_equals(secret, "s3cret", 6));
    assert_false(wxpay_secret_equals(secret, "s3creT", 6));
    assert_false(wxpay_secret_equals(secret, "s3cre", 5));
    assert_false(wxpay_secret_equals(secret, "s3crets", 7));
    assert_false(wxpay_secret_equals(secret, "s3crets3cret", 12));
    assert_false(wxpay_secret_equals(secret, "", 0));
    assert_false(wxpay_secret_equals(empty, "", 0));
    assert_false(wxpay_secret_equals(empty, "x", 1));
    assert_true(wxpay_secret_memeq("ab", "ab", 2));
    assert_false(wxpay_secret_memeq("ab", "aB", 2));
}

typedef struct watch_t {
    const wxpay_secret_t *secret;
    const unsigned char *bytes;
    int wiped;
} watch_t;

static apr_status_t look(void *data)
{
    static const unsigned char nothing[6];
    watch_t *watch = data;

    watch->wiped = memcmp(watch->bytes, nothing, sizeof(nothing)) == 0;
    return APR_SUCCESS;
}

static void secret_is_wiped_with_its_pool(void **state)
{
    watch_t watch = {NULL, NULL, 0};
    apr_pool_t *pool;
    char copy[] = "s3cret";

    apr_pool_create(&pool, *state);
    /* clean-ups run last in, first out: this one looks after the secret's own */
    apr_pool_cleanup_register(pool, &watch, look, apr_pool_cleanup_null);
    watch.secret = wxpay_secret_create(pool, "s3cret", 6);
    watch.bytes = wxpay_secret_bytes(watch.secret);
    assert_memory_equal(watch.bytes, "s3cret", 6);
    apr_pool_destroy(pool);
    assert_true(watch.wiped);
    wxpay_secret_wipe(copy, sizeof(copy));
    assert_int_equal(copy[0] | copy[5], 0);
}

static void buf_grows_to_its_maximum(void **state)
{
    wxpay_buf_t buf;
    int i;

    wxpay_buf_init(&buf, *state, 1000);
    assert_string_equal(buf.data, "");
    for (i = 0; i < 100; i++) {
        assert_true(wxpay_buf_add(&buf, "0123456789", 10));
    }
    assert_int_equal(buf.len, 1000);
    assert_int_equal(strlen(buf.data), 1000);
    assert_memory_equal(buf.data + 990, "0123456789", 10);
    assert_true(wxpay_buf_puts(&buf, ""));
    assert_false(wxpay_buf_puts(&buf, "x"));
    assert_true(buf.broken);
    assert_string_equal(buf.data, "");
    assert_int_equal(buf.len, 0);
    assert_false(wxpay_buf_puts(&buf, ""));
    assert_false(wxpay_buf_printf(&buf, "%d", 1));
}

static void buf_formats(void **state)
{
    wxpay_buf_t buf;

    wxpay_buf_init(&buf, *state, 10);
    assert_true(wxpay_buf_printf(&buf, "%s-%d", "ab", 42));
    assert_string_equal(buf.data, "ab-42");
    assert_true(wxpay_buf_printf(&buf, "%05d", 7));
    assert_string_equal(buf.data, "ab-4200007");
    assert_false(wxpay_buf_printf(&buf, "%c", 'x'));
    wxpay_buf_init(&buf, *state, 0);
    assert_true(wxpay_buf_puts(&buf, ""));
    assert_false(wxpay_buf_puts(&buf, "x"));
    wxpay_buf_init(&buf, *state, 100000);
    assert_true(wxpay_buf_printf(&buf, "%99999d", 1));
    assert_int_equal(buf.len, 99999);
}

static void money_reads_canonical_fen(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      "01",
                                      "00",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e2",
                                      "0x1",
                                      "10000000001",
                                      "18446744073709551716",
                                      "99999999999999999999999999999999999999999",
                                      "\xd9\xa1"};
    apr_int64_t fen = -7;
    apr_size_t i;

    (void)state;
    assert_int_equal(wxpay_money_parse_fen("0", 1, &fen, NULL), WXPAY_OK);
    assert_int_equal(fen, 0);
    assert_int_equal(wxpay_money_parse_fen("1990x", 4, &fen, NULL), WXPAY_OK);
    assert_int_equal(fen, 1990);
    assert_int_equal(wxpay_money_parse_fen("10000000000", 11, &fen, NULL), WXPAY_OK);
    assert_true(fen == WXPAY_MONEY_MAX_FEN);
    fen = -7;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(wxpay_money_parse_fen(bad[i], strlen(bad[i]), &fen, NULL), WXPAY_EINPUT);
    }
    assert_int_equal(wxpay_money_parse_fen("1\0002", 3, &fen, NULL), WXPAY_EINPUT);
    assert_int_equal(fen, -7);
}

static void money_reads_yuan_with_two_decimals(void **state)
{
    static const char *const bad[] = {
        "",      "9",     "9.9",   "9.900",        ".90",
        "9,90",  "-9.90", "9.9a",  "a.90",         "09.90",
        "9.90 ", "9.",    "1.2.3", "100000000.01", "99999999999999999999.00"};
    apr_int64_t fen;
    apr_size_t i;

    (void)state;
    assert_int_equal(wxpay_money_parse_yuan("9.90", &fen, NULL), WXPAY_OK);
    assert_int_equal(fen, 990);
    assert_int_equal(wxpay_money_parse_yuan("0.01", &fen, NULL), WXPAY_OK);
    assert_int_equal(fen, 1);
    assert_int_equal(wxpay_money_parse_yuan("100000000.00", &fen, NULL), WXPAY_OK);
    assert_true(fen == WXPAY_MONEY_MAX_FEN);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(wxpay_money_parse_yuan(bad[i], &fen, NULL), WXPAY_EINPUT);
    }
}

static void money_is_written_for_people(void **state)
{
    apr_pool_t *pool = *state;

    assert_string_equal(wxpay_money_format(pool, 0), "0.00");
    assert_string_equal(wxpay_money_format(pool, 5), "0.05");
    assert_string_equal(wxpay_money_format(pool, 1990), "19.90");
    assert_string_equal(wxpay_money_format(pool, 99999), "999.99");
    assert_string_equal(wxpay_money_format(pool, 100000), "1,000.00");
    assert_string_equal(wxpay_money_format(pool, 123456789), "1,234,567.89");
    assert_string_equal(wxpay_money_format(pool, -100005), "-1,000.05");
    assert_string_equal(wxpay_money_format(pool, INT64_MIN), "-92,233,720,368,547,758.08");
}

static void clock_writes_beijing_and_utc(void **state)
{
    /* 2024-01-01 12:34:56 in Beijing */
    const apr_time_t t = apr_time_from_sec(1704083696);
    char beijing[WXPAY_BEIJING_SIZE], utc[WXPAY_RFC3339_SIZE];

    (void)state;
    wxpay_clock_beijing(t + 999999, beijing);
    assert_string_equal(beijing, "20240101123456");
    wxpay_clock_rfc3339(t, utc);
    assert_string_equal(utc, "2024-01-01T04:34:56Z");
}

static void clock_reads_back_every_day(void **state)
{
    apr_time_t day = apr_time_from_sec(946684800 - 8 * 3600), end, t;
    char text[WXPAY_BEIJING_SIZE];
    int days = 0;

    (void)state;
    assert_int_equal(wxpay_clock_parse_beijing("21991231235959", 14, &end, NULL), WXPAY_OK);
    for (; day < end; day += apr_time_from_sec(86400 - 1), days++) {
        wxpay_clock_beijing(day, text);
        assert_int_equal(wxpay_clock_parse_beijing(text, 14, &t, NULL), WXPAY_OK);
        assert_true(t == day);
    }
    assert_true(days > 73000);
}

static void clock_refuses_what_is_no_time(void **state)
{
    static const char *const bad[] = {"",
                                      "2024010112345",
                                      "202401011234567",
                                      "20240230000000",
                                      "20230229000000",
                                      "21000229000000",
                                      "20241301000000",
                                      "20240001000000",
                                      "20240100000000",
                                      "20240101240000",
                                      "20240101236000",
                                      "20240101235960",
                                      "19991231235959",
                                      "22000101000000",
                                      "2024-1-01 0000",
                                      "+0240101000000",
                                      " 2024010112345"};
    apr_time_t t;
    apr_size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(wxpay_clock_parse_beijing(bad[i], strlen(bad[i]), &t, NULL), WXPAY_EINPUT);
    }
    assert_int_equal(wxpay_clock_parse_beijing("20240229000000", 14, &t, NULL), WXPAY_OK);
    assert_int_equal(wxpay_clock_parse_beijing("20000229000000", 14, &t, NULL), WXPAY_OK);
}

static void clock_reads_rfc3339(void **state)
{
    static const char *const good[] = {"2024-01-01T04:34:56Z",      "2024-01-01t04:34:56z",
                                       "2024-01-01T12:34:56+08:00", "2024-01-01T01:04:56-03:30",
                                       "2024-01-01T04:34:56.999Z",  "2024-01-01T04:34:56-00:00"};
    static const char *const bad[] = {"",
                                      "2024-01-01",
                                      "2024-01-01T04:34:56",
                                      "2024-01-01 04:34:56Z",
                                      "2024-01-01T04:34:56.Z",
                                      "2024-01-01T04:34:56+8:00",
                                      "2024-01-01T04:34:56+0800",
                                      "2024-01-01T04:34:56+24:00",
                                      "2024-01-01T04:34:56+08:60",
                                      "2024-01-01T04:34:56ZZ",
                                      "2024-02-30T04:34:56Z",
                                      "2024-01-01T04:34:60Z",
                                      "2024-01-01T04:34:56 08:00",
                                      "1999-01-01T04:34:56Z"};
    apr_time_t t;
    apr_size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(wxpay_clock_parse_rfc3339(good[i], strlen(good[i]), &t, NULL), WXPAY_OK);
        assert_true(t == apr_time_from_sec(1704083696));
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(wxpay_clock_parse_rfc3339(bad[i], strlen(bad[i]), &t, NULL), WXPAY_EINPUT);
    }
}

static void account_never_downgrades(void **state)
{
    wxpay_account_t account;

    (void)state;
    memset(&account, 0, sizeof(account));
    account.sign_type = WXPAY_SIGN_MD5;
    assert_int_equal(wxpay_account_sign_allowed(&account), WXPAY_SIGN_MD5 | WXPAY_SIGN_HMAC_SHA256);
    account.sign_type = WXPAY_SIGN_HMAC_SHA256;
    assert_int_equal(wxpay_account_sign_allowed(&account), WXPAY_SIGN_HMAC_SHA256);
    account.gateway_timeout = apr_time_from_sec(8);
    account.gateway[0] = "https://a.example";
    assert_true(wxpay_account_deadline(&account) == apr_time_from_sec(8));
    account.gateway[1] = "https://b.example";
    assert_true(wxpay_account_deadline(&account) == apr_time_from_sec(16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        support_test(text_is_one_line_of_whole_characters),
        support_test(error_says_what_and_where),
        support_test(error_is_cut_between_characters),
        support_test(log_asks_then_writes_one_line),
        support_test(secret_equals_itself_only),
        support_test(secret_is_wiped_with_its_pool),
        support_test(buf_grows_to_its_maximum),
        support_test(buf_formats),
        support_test(money_reads_canonical_fen),
        support_test(money_reads_yuan_with_two_decimals),
        support_test(money_is_written_for_people),
        support_test(clock_writes_beijing_and_utc),
        support_test(clock_reads_back_every_day),
        support_test(clock_refuses_what_is_no_time),
        support_test(clock_reads_rfc3339),
        support_test(account_never_downgrades),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
