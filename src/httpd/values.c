#include "values.h"
#include "config.h"
#include <apr_lib.h>
#include <apr_network_io.h>
#include <apr_strings.h>
#include <apr_uri.h>

#define MINUTE apr_time_from_sec(60)
#define DAY apr_time_from_sec(24 * 3600)

static const char *word(cmd_parms *cmd, void *member, const char *text, int digits_only,
                        const char *example)
{
    const char *c = text;

    while (digits_only ? apr_isdigit(*c) : (apr_isalnum(*c) || *c == '_')) {
        c++;
    }
    if (*c || c == text || c - text > 32) {
        return apr_psprintf(cmd->pool, "WXP0101: %s is 1 to 32 %s, such as: %s %s", cmd->cmd->name,
                            digits_only ? "digits" : "letters and digits", cmd->cmd->name, example);
    }
    *(const char **)member = text;
    return NULL;
}

const char *mod_wxpay_value_appid(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    (void)argc;
    return word(cmd, member, argv[0], 0, "wx2421b1c4370ec43b");
}

const char *mod_wxpay_value_mch_id(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    (void)argc;
    return word(cmd, member, argv[0], 1, "1230000109");
}

const char *mod_wxpay_value_sign_type(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    (void)argc;
    if (ap_cstr_casecmp(argv[0], "MD5") == 0) {
        *(wxpay_sign_e *)member = WXPAY_SIGN_MD5;
    }
    else if (ap_cstr_casecmp(argv[0], "HMAC-SHA256") == 0) {
        *(wxpay_sign_e *)member = WXPAY_SIGN_HMAC_SHA256;
    }
    else {
        return apr_psprintf(cmd->pool,
                            "WXP0102: unknown sign type \"%s\"; write: WxPaySignType "
                            "HMAC-SHA256 (or MD5)",
                            argv[0]);
    }
    return NULL;
}

int mod_wxpay_host_is_loopback(const char *host)
{
    return ap_cstr_casecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

const char *mod_wxpay_base_url(apr_pool_t *p, const char *text, apr_uri_t *uri)
{
    const char *c;

    for (c = text; *c; c++) {
        if (apr_iscntrl(*c) || apr_isspace(*c) || *c == '\\') {
            return "holds a blank, control character or backslash";
        }
    }
    if (apr_uri_parse(p, text, uri) != APR_SUCCESS || !uri->scheme || !uri->hostname ||
        !*uri->hostname) {
        return "is not an absolute URL";
    }
    ap_str_tolower(uri->scheme);
    ap_str_tolower(uri->hostname);
    if (strcmp(uri->scheme, "http") != 0 && strcmp(uri->scheme, "https") != 0) {
        return "is neither https nor http";
    }
    if (uri->user || uri->password) {
        return "holds a user name";
    }
    if (uri->query || uri->fragment) {
        return "holds a query or fragment";
    }
    return NULL;
}

const char *mod_wxpay_origin(apr_pool_t *p, const apr_uri_t *uri)
{
    const char *host =
        strchr(uri->hostname, ':') ? apr_pstrcat(p, "[", uri->hostname, "]", NULL) : uri->hostname;

    if (!uri->port_str || !*uri->port_str || uri->port == apr_uri_port_of_scheme(uri->scheme)) {
        return apr_pstrcat(p, uri->scheme, "://", host, NULL);
    }
    return apr_psprintf(p, "%s://%s:%u", uri->scheme, host, uri->port);
}

const char *mod_wxpay_value_public_url(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    apr_uri_t uri;
    const char *wrong = mod_wxpay_base_url(cmd->pool, argv[0], &uri);

    (void)argc;
    if (!wrong && uri.path && strcmp(uri.path, "/") != 0) {
        wrong = "holds a path";
    }
    if (wrong) {
        return apr_psprintf(cmd->pool,
                            "WXP0103: \"%s\" %s; write scheme, host and port only: "
                            "WxPayPublicURL https://shop.example",
                            argv[0], wrong);
    }
    *(const char **)member = mod_wxpay_origin(cmd->pool, &uri);
    return NULL;
}

const char *mod_wxpay_value_gateway(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    mod_wxpay_gateway_t *gateway = member;
    int i;

    gateway->url[1] = NULL;
    for (i = 0; i < argc; i++) {
        apr_uri_t uri;
        const char *wrong = mod_wxpay_base_url(cmd->pool, argv[i], &uri);
        char *url;

        if (wrong) {
            return apr_psprintf(cmd->pool,
                                "WXP0104: gateway \"%s\" %s; write: WxPayGateway "
                                "https://api.mch.weixin.qq.com "
                                "https://api2.mch.weixin.qq.com",
                                argv[i], wrong);
        }
        if (strcmp(uri.scheme, "http") == 0 && !mod_wxpay_host_is_loopback(uri.hostname)) {
            return apr_psprintf(cmd->pool,
                                "WXP0105: plain http to the gateway \"%s\" would show "
                                "every order to the network; write https:// (http is "
                                "for loopback hosts only)",
                                argv[i]);
        }
        url = apr_pstrcat(cmd->pool, mod_wxpay_origin(cmd->pool, &uri), uri.path, NULL);
        while (url[strlen(url) - 1] == '/') {
            url[strlen(url) - 1] = '\0';
        }
        gateway->url[i] = url;
    }
    return NULL;
}

/* Letters, digits and -._~ only: such a path reads the same before and after URL decoding, so that
 * every phase of httpd sees the same one. */
const char *mod_wxpay_bad_path(const char *path)
{
    const char *c, *segment = path + 1;

    if (path[0] != '/') {
        return "does not start with /";
    }
    if (path[1] == '\0') {
        return "is the whole site";
    }
    for (c = path + 1;; c++) {
        if (*c == '?' || *c == '#') {
            return "holds a query or fragment";
        }
        if (*c == '/' || *c == '\0') {
            if (c == segment) {
                return *c ? "holds //" : "ends in /";
            }
            if (segment[0] == '.' &&
                (c - segment == 1 || (c - segment == 2 && segment[1] == '.'))) {
                return "holds . or ..";
            }
            if (!*c) {
                return NULL;
            }
            segment = c + 1;
        }
        else if (!apr_isalnum(*c) && !strchr("-._~", *c)) {
            return "holds a character other than letters, digits and -._~";
        }
    }
}

const char *mod_wxpay_value_path(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    const char *wrong = mod_wxpay_bad_path(argv[0]);

    (void)argc;
    if (wrong) {
        const char *kind = cmd->cmd->name + strlen("WxPay");

        return apr_psprintf(cmd->pool, "WXP0106: \"%s\" %s; write a path such as: %s %s", argv[0],
                            wrong, cmd->cmd->name,
                            *kind == 'N'   ? "/wxpay/notify"
                            : *kind == 'C' ? "/wxpay/pay"
                                           : "/wxpay/api");
    }
    *(const char **)member = argv[0];
    return NULL;
}

const char *mod_wxpay_value_api_allow(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    unsigned allow = 0;
    int i;

    for (i = 0; i < argc; i++) {
        if (ap_cstr_casecmp(argv[i], "create") == 0) {
            allow |= MOD_WXPAY_ALLOW_CREATE;
        }
        else if (ap_cstr_casecmp(argv[i], "query") == 0) {
            allow |= MOD_WXPAY_ALLOW_QUERY;
        }
        else if (ap_cstr_casecmp(argv[i], "close") == 0) {
            allow |= MOD_WXPAY_ALLOW_CLOSE;
        }
        else if (ap_cstr_casecmp(argv[i], "refund") == 0) {
            return "WXP0107: refund needs a client certificate, which is not available yet; write: "
                   "WxPayApiAllow create query close";
        }
        else {
            return apr_psprintf(cmd->pool,
                                "WXP0108: the API knows no \"%s\"; write: WxPayApiAllow "
                                "create query close",
                                argv[i]);
        }
    }
    *(unsigned *)member = allow;
    return NULL;
}

const char *mod_wxpay_value_orphans(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    (void)argc;
    if (ap_cstr_casecmp(argv[0], "Refuse") != 0 && ap_cstr_casecmp(argv[0], "Deliver") != 0) {
        return apr_psprintf(cmd->pool,
                            "WXP0109: \"%s\" is neither; write: WxPayOrphans Refuse (or "
                            "Deliver, when orders are created elsewhere)",
                            argv[0]);
    }
    *(int *)member = ap_cstr_casecmp(argv[0], "Deliver") == 0;
    return NULL;
}

int mod_wxpay_parse_time(const char *text, apr_interval_time_t *t)
{
    static const struct {
        const char *unit;
        apr_interval_time_t us;
    } units[] = {{"", APR_USEC_PER_SEC}, {"ms", 1000},       {"s", APR_USEC_PER_SEC},
                 {"min", MINUTE},        {"h", 60 * MINUTE}, {"d", DAY}};
    apr_int64_t n = 0;
    const char *c = text;
    unsigned i;

    while (apr_isdigit(*c) && c - text < 10) {
        n = n * 10 + (*c++ - '0');
    }
    for (i = 0; c > text && i < sizeof(units) / sizeof(units[0]); i++) {
        if (ap_cstr_casecmp(c, units[i].unit) == 0) {
            if (n > 3660 * DAY / units[i].us) {
                return 0;
            }
            *t = n * units[i].us;
            return 1;
        }
    }
    return 0;
}

static const char *bounded_time(cmd_parms *cmd, void *member, const char *text,
                                apr_interval_time_t min, apr_interval_time_t max, const char *fix)
{
    apr_interval_time_t t;

    if (!mod_wxpay_parse_time(text, &t) || t < min || t > max) {
        return apr_psprintf(cmd->pool, "WXP0110: %s \"%s\" is not %s", cmd->cmd->name, text, fix);
    }
    *(apr_interval_time_t *)member = t;
    return NULL;
}

const char *mod_wxpay_value_order_ttl(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    (void)argc;
    return bounded_time(cmd, member, argv[0], 6 * MINUTE, 7 * DAY,
                        "a time from 6min to 7d; write for example: WxPayOrderTTL 2h");
}

const char *mod_wxpay_value_max_wait(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    (void)argc;
    return bounded_time(cmd, member, argv[0], 0, apr_time_from_sec(10),
                        "a time from 0s to 10s; write for example: WxPayMaxWait 400ms");
}

const char *mod_wxpay_value_timeout(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    mod_wxpay_timeout_t *timeout = member;
    const char *fix = "a time from 100ms to 60s; write for example: WxPayGatewayTimeout 8s 3s";
    const char *err =
        bounded_time(cmd, &timeout->total, argv[0], apr_time_from_msec(100), MINUTE, fix);

    if (err) {
        return err;
    }
    if (argc == 1) {
        timeout->connect =
            timeout->total > apr_time_from_sec(6) ? apr_time_from_sec(3) : timeout->total / 2;
        return NULL;
    }
    err = bounded_time(cmd, &timeout->connect, argv[1], 1000, MINUTE, fix);
    if (!err && timeout->connect >= timeout->total) {
        err = apr_psprintf(cmd->pool,
                           "WXP0111: connecting may take %s, but the whole call only "
                           "%s; write the longer time first: WxPayGatewayTimeout 8s 3s",
                           argv[1], argv[0]);
    }
    return err;
}

const char *mod_wxpay_value_max_calls(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    char *end = NULL;
    long n = apr_isdigit(argv[0][0]) ? strtol(argv[0], &end, 10) : 0;

    (void)argc;
    if (n < 1 || n > 10000 || *end) {
        return apr_psprintf(cmd->pool,
                            "WXP0112: \"%s\" is not a number from 1 to 10000; write for "
                            "example: WxPayMaxCalls 64",
                            argv[0]);
    }
    *(int *)member = (int)n;
    return NULL;
}
