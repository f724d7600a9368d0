#include "values.h"
#include "config.h"
#include <http_core.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define PEM_MAX (1024 * 1024)

static const char *absolute(cmd_parms *cmd, void *member, const char *path)
{
    char *full = ap_server_root_relative(cmd->pool, path);
    apr_size_t len = full ? strlen(full) : 0;

    if (!full || full[0] != '/') {
        return apr_psprintf(cmd->pool, "WXP0113: \"%s\" is not a file name; write an absolute path",
                            path);
    }
    if (len > 1 && full[len - 1] == '/') {
        full[len - 1] = '\0';
    }
    *(const char **)member = full;
    return NULL;
}

/* Read here, as root: children cannot open what only root may read. */
static const char *read_pem(cmd_parms *cmd, const char *path, const char **pem)
{
    apr_file_t *file;
    apr_size_t len = PEM_MAX;
    char *bytes = apr_palloc(cmd->temp_pool, PEM_MAX);
    char text[128];
    apr_status_t rv = apr_file_open(&file, path, APR_FOPEN_READ, APR_OS_DEFAULT, cmd->temp_pool);

    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, bytes, len, &len);
        apr_file_close(file);
    }
    if (rv != APR_SUCCESS && rv != APR_EOF) {
        return apr_psprintf(
            cmd->pool, "WXP0114: cannot read %s: %s; write the name of a PEM file that is there",
            path, apr_strerror(rv, text, sizeof(text)));
    }
    *pem = apr_pstrmemdup(cmd->pool, bytes, len);
    if (len == PEM_MAX || !strstr(*pem, "-----BEGIN CERTIFICATE-----")) {
        return apr_psprintf(cmd->pool,
                            "WXP0118: %s holds no CA certificate; write the name of a file with "
                            "\"-----BEGIN CERTIFICATE-----\" in it, up to 1 MiB",
                            path);
    }
    return NULL;
}

const char *mod_wxpay_value_pem(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    const char *path = NULL;
    const char *err = absolute(cmd, &path, argv[0]);

    (void)argc;
    if (err || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP) {
        return err;
    }
    return read_pem(cmd, path, member);
}

const char *mod_wxpay_value_state_dir(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    (void)argc;
    return absolute(cmd, member, argv[0]);
}

const char *mod_wxpay_value_store(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    if (ap_cstr_casecmp(argv[0], "sqlite3") != 0) {
        return apr_psprintf(cmd->pool,
                            "WXP0115: there is no store \"%s\"; write: WxPayStore "
                            "sqlite3 /var/lib/wxpay/db/wxpay.db",
                            argv[0]);
    }
    return argc > 1 ? absolute(cmd, member, argv[1]) : NULL;
}

const char *mod_wxpay_value_return_url(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    static const char *const schemes[] = {"https://", "http://"};
    const char *url = argv[0], *c = url;
    int good = url[0] == '/' && url[1] != '/';
    unsigned i;

    (void)argc;
    for (i = 0; i < 2; i++) {
        apr_size_t len = strlen(schemes[i]);

        good = good || (ap_cstr_casecmpn(url, schemes[i], len) == 0 && apr_isalnum(url[len])) ||
               (ap_cstr_casecmpn(url, schemes[i], len) == 0 && url[len] == '[');
    }
    while (*c && !apr_iscntrl(*c) && *c != ' ' && *c != '\\') {
        c++;
    }
    if (!good || *c || c - url > 512) {
        return apr_psprintf(cmd->pool,
                            "WXP0116: \"%s\" is no place to return to; write a path or "
                            "URL: WxPayReturnURL /thanks",
                            url);
    }
    *(const char **)member = url;
    return NULL;
}

const char *mod_wxpay_value_return_hosts(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    apr_array_header_t *hosts = apr_array_make(cmd->pool, argc, sizeof(const char *));
    int i;

    for (i = 0; i < argc; i++) {
        char *host = apr_pstrdup(cmd->pool, argv[i]);
        apr_size_t len = strlen(host);

        ap_str_tolower(host);
        if (!len || len > 255 ||
            strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._:[]") != len) {
            return apr_psprintf(cmd->pool,
                                "WXP0117: \"%s\" is not a host name; write names without "
                                "scheme and path: WxPayReturnHosts shop.example "
                                "www.shop.example:8443",
                                argv[i]);
        }
        APR_ARRAY_PUSH(hosts, const char *) = host;
    }
    *(const apr_array_header_t **)member = hosts;
    return NULL;
}
