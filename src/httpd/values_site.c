#include "values.h"
#include "config.h"
#include "fields.h"
#include "money.h"
#include <apr_lib.h>
#include <apr_strings.h>

#define NAME_MAX_BYTES 64
#define SUPPORT_MAX_BYTES 200

const char *mod_wxpay_value_site_id(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    const char *c = argv[0];

    (void)argc;
    while (apr_isalnum(*c) || (*c && strchr("._-", *c))) {
        c++;
    }
    if (*c || c == argv[0] || c - argv[0] > 64) {
        return apr_psprintf(cmd->pool,
                            "WXP0130: \"%s\" is not 1 to 64 letters, digits and ._-; write for "
                            "example: WxPaySiteId shop",
                            argv[0]);
    }
    *(const char **)member = argv[0];
    return NULL;
}

static int is_line(const char *text, apr_size_t max)
{
    apr_size_t len = strlen(text);
    const char *c;

    for (c = text; *c && !apr_iscntrl(*c); c++) {
    }
    return !*c && len > 0 && len <= max && wxpay_fields_utf8(text, len, 4);
}

const char *mod_wxpay_value_merchant_name(cmd_parms *cmd, void *member, int argc,
                                          char *const argv[])
{
    (void)cmd;
    (void)argc;
    if (!is_line(argv[0], NAME_MAX_BYTES)) {
        return "WXP0131: the name is not one line of 1 to 64 bytes of UTF-8; write for example: "
               "WxPayMerchantName \"Tea House\"";
    }
    *(const char **)member = argv[0];
    return NULL;
}

/* A phone number as the tel: URL wants it, or NULL. */
static const char *phone_href(apr_pool_t *p, const char *text)
{
    char *href = apr_pstrcat(p, "tel:", text, NULL);
    char *to = href + 4;
    const char *c;
    int digits = 0;

    for (c = text; *c; c++) {
        if (apr_isdigit(*c) || (*c == '+' && c == text)) {
            digits += *c != '+';
            *to++ = *c;
        }
        else if (!strchr(" -()", *c)) {
            return NULL;
        }
    }
    *to = '\0';
    return digits >= 3 && digits <= 20 ? href : NULL;
}

static const char *mail_href(apr_pool_t *p, const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  ".-_+";
    apr_size_t name = strspn(text, letters);
    const char *host = text + name + 1;

    if (!name || text[name] != '@' || strspn(host, letters) != strlen(host) || host[0] == '.' ||
        !strchr(host, '.') || strstr(host, "..") || host[strlen(host) - 1] == '.') {
        return NULL;
    }
    return apr_pstrcat(p, "mailto:", text, NULL);
}

static const char *url_href(apr_pool_t *p, const char *text)
{
    apr_uri_t uri;

    if (strpbrk(text, " \"<>\\") || apr_uri_parse(p, text, &uri) != APR_SUCCESS || !uri.scheme ||
        !uri.hostname || !*uri.hostname || uri.user ||
        (ap_cstr_casecmp(uri.scheme, "https") != 0 && ap_cstr_casecmp(uri.scheme, "http") != 0)) {
        return NULL;
    }
    return text;
}

const char *mod_wxpay_value_support(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    mod_wxpay_support_t *support = member;
    const char *href = NULL;

    (void)argc;
    if (is_line(argv[0], SUPPORT_MAX_BYTES)) {
        href = strstr(argv[0], "://") ? url_href(cmd->pool, argv[0])
               : strchr(argv[0], '@') ? mail_href(cmd->pool, argv[0])
                                      : phone_href(cmd->pool, argv[0]);
    }
    if (!href) {
        return apr_psprintf(cmd->pool,
                            "WXP0132: \"%s\" is no phone number, mail address or http(s) URL; "
                            "write for example: WxPaySupport \"+86 10 1234 5678\"",
                            argv[0]);
    }
    support->text = argv[0];
    support->href = href;
    return NULL;
}

const char *mod_wxpay_value_language(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    static const char *const languages[] = {"zh-CN", "zh-TW", "en"};
    unsigned i;

    (void)argc;
    *(const char **)member = NULL;
    if (ap_cstr_casecmp(argv[0], "auto") == 0) {
        return NULL;
    }
    for (i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        if (ap_cstr_casecmp(argv[0], languages[i]) == 0) {
            *(const char **)member = languages[i];
            return NULL;
        }
    }
    return apr_psprintf(cmd->pool,
                        "WXP0133: the pages don't speak \"%s\"; write: WxPayLanguage zh-CN (or "
                        "zh-TW, en, auto)",
                        argv[0]);
}

const char *mod_wxpay_value_confirm(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    apr_int64_t *min = member;
    wxpay_error_t err;

    (void)argc;
    if (ap_cstr_casecmp(argv[0], "Off") == 0) {
        *min = -1;
        return NULL;
    }
    if (ap_cstr_casecmp(argv[0], "Always") == 0) {
        *min = 0;
        return NULL;
    }
    if (ap_cstr_casecmpn(argv[0], "over=", 5) == 0 &&
        wxpay_money_parse_yuan(argv[0] + 5, min, &err) == WXPAY_OK) {
        return NULL;
    }
    return apr_psprintf(cmd->pool,
                        "WXP0134: \"%s\" is neither Off, Always nor an amount with two decimals; "
                        "write for example: WxPayConfirmByQuery over=500.00",
                        argv[0]);
}

const char *mod_wxpay_value_proxy(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    apr_uri_t uri;
    const char *wrong = mod_wxpay_base_url(cmd->pool, argv[0], &uri);

    (void)argc;
    if (!wrong && strcmp(uri.scheme, "http") != 0) {
        wrong = "is not http";
    }
    if (!wrong && (!uri.port_str || !*uri.port_str || !uri.port)) {
        wrong = "has no port";
    }
    if (!wrong && uri.path && strcmp(uri.path, "/") != 0) {
        wrong = "holds a path";
    }
    if (wrong) {
        return apr_psprintf(cmd->pool,
                            "WXP0135: proxy \"%s\" %s; write: WxPayGatewayProxy "
                            "http://proxy.example:3128 (what passes through it is encrypted all "
                            "the same)",
                            argv[0], wrong);
    }
    *(const char **)member =
        apr_psprintf(cmd->pool, strchr(uri.hostname, ':') ? "http://[%s]:%u" : "http://%s:%u",
                     uri.hostname, uri.port);
    return NULL;
}
