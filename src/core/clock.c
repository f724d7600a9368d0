/* clock.c - time on the wire and in JSON. */
#include "clock.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define BEIJING_OFFSET (8 * 3600)
#define FIRST_YEAR 2000
#define LAST_YEAR 2199

static const char *const digits14 = "dddddddddddddd";
static const char *const rfc3339 = "dddd-dd-ddTdd:dd:dd";

/* Does text begin with the shape ('d' a digit, anything else itself, letters in either case)? */
static int has_shape(const char *text, apr_size_t len, const char *shape)
{
    apr_size_t i;

    for (i = 0; shape[i]; i++) {
        if (i >= len) {
            return 0;
        }
        if (shape[i] == 'd' ? !apr_isdigit(text[i]) : apr_toupper(text[i]) != shape[i]) {
            return 0;
        }
    }
    return 1;
}

static int number(const char *digits, int count)
{
    int value = 0;

    while (count-- > 0) {
        value = value * 10 + (*digits++ - '0');
    }
    return value;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && (year % 4 == 0) && (year % 100 != 0 || year % 400 == 0)) {
        return 29;
    }
    return days[month - 1];
}

/* 0 unless date and time exist. */
static int to_time(int year, int month, int day, const char *hour, const char *minute,
                   const char *second, int offset, apr_time_t *t)
{
    apr_time_exp_t exp;

    memset(&exp, 0, sizeof(exp));
    exp.tm_year = year - 1900;
    exp.tm_mon = month - 1;
    exp.tm_mday = day;
    exp.tm_hour = number(hour, 2);
    exp.tm_min = number(minute, 2);
    exp.tm_sec = number(second, 2);
    exp.tm_gmtoff = offset;
    if (year < FIRST_YEAR || year > LAST_YEAR || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month) || exp.tm_hour > 23 || exp.tm_min > 59 ||
        exp.tm_sec > 59) {
        return 0;
    }
    return apr_time_exp_gmt_get(t, &exp) == APR_SUCCESS;
}

void wxpay_clock_beijing(apr_time_t t, char out[WXPAY_BEIJING_SIZE])
{
    apr_time_exp_t exp;

    apr_time_exp_tz(&exp, t, BEIJING_OFFSET);
    apr_snprintf(out, WXPAY_BEIJING_SIZE, "%04d%02d%02d%02d%02d%02d", exp.tm_year + 1900,
                 exp.tm_mon + 1, exp.tm_mday, exp.tm_hour, exp.tm_min, exp.tm_sec);
}

wxpay_rc_e wxpay_clock_parse_beijing(const char *text, apr_size_t len, apr_time_t *t,
                                     wxpay_error_t *err)
{
    if (len != 14 || !has_shape(text, len, digits14) ||
        !to_time(number(text, 4), number(text + 4, 2), number(text + 6, 2), text + 8, text + 10,
                 text + 12, BEIJING_OFFSET, t)) {
        return wxpay_error_set(err, WXPAY_EINPUT, "time",
                               "a time must be yyyyMMddHHmmss (Beijing time) and exist");
    }
    return WXPAY_OK;
}

void wxpay_clock_rfc3339(apr_time_t t, char out[WXPAY_RFC3339_SIZE])
{
    apr_time_exp_t exp;

    apr_time_exp_gmt(&exp, t);
    apr_snprintf(out, WXPAY_RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", exp.tm_year + 1900,
                 exp.tm_mon + 1, exp.tm_mday, exp.tm_hour, exp.tm_min, exp.tm_sec);
}

/* "Z", "+08:00" or "-03:30", after an optional fraction. */
static int parse_zone(const char *text, apr_size_t len, int *offset)
{
    apr_size_t i = 0;

    *offset = 0;
    if (len > 1 && text[0] == '.' && apr_isdigit(text[1])) {
        for (i = 1; i < len && apr_isdigit(text[i]); i++) {
        }
    }
    text += i;
    len -= i;
    if (len == 1) {
        return text[0] == 'Z' || text[0] == 'z';
    }
    if (len != 6 || (text[0] != '+' && text[0] != '-') || !has_shape(text + 1, 5, "dd:dd") ||
        number(text + 1, 2) > 23 || number(text + 4, 2) > 59) {
        return 0;
    }
    *offset = (number(text + 1, 2) * 60 + number(text + 4, 2)) * 60;
    if (text[0] == '-') {
        *offset = -*offset;
    }
    return 1;
}

wxpay_rc_e wxpay_clock_parse_rfc3339(const char *text, apr_size_t len, apr_time_t *t,
                                     wxpay_error_t *err)
{
    int offset;

    if (!has_shape(text, len, rfc3339) || !parse_zone(text + 19, len - 19, &offset) ||
        !to_time(number(text, 4), number(text + 5, 2), number(text + 8, 2), text + 11, text + 14,
                 text + 17, offset, t)) {
        return wxpay_error_set(err, WXPAY_EINPUT, "time",
                               "a time must be written like 2026-11-24T03:05:00Z and exist");
    }
    return WXPAY_OK;
}
