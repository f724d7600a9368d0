#include "secret_source.h"
#include "config.h"
#include "clock.h"
#include "delivery.h"
#include <http_core.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 4096

static void warn(cmd_parms *cmd, const char *id, const char *text)
{
    mod_wxpay_config_warn(cmd->pool, apr_psprintf(cmd->temp_pool, "%s: [%s:%d] %s: %s", id,
                                                  cmd->directive->filename,
                                                  cmd->directive->line_num, cmd->cmd->name, text));
}

static int is_source(const char *text)
{
    return strncmp(text, "file:", 5) == 0 || strncmp(text, "exec:", 5) == 0;
}

/* The one argument of a secret's directive that is none. */
static int is_until(const cmd_parms *cmd, int place, const char *text)
{
    return place == 1 && strcmp(cmd->cmd->name, "WxPayKeyPrevious") == 0 &&
           strncmp(text, "until=", 6) == 0;
}

void mod_wxpay_secret_redact(cmd_parms *cmd, int argc, char *const argv[])
{
    const char *shown = "";
    int i, literals = 0;

    for (i = 0; i < argc; i++) {
        int literal = !is_source(argv[i]) && !is_until(cmd, i, argv[i]);

        literals += literal;
        shown = apr_pstrcat(cmd->pool, shown, i ? " " : "", literal ? "<redacted>" : "\"",
                            literal ? "" : argv[i], literal ? "" : "\"", NULL);
    }
    if (literals) {
        cmd->directive->args = shown;
    }
}

static const char *one_origin(cmd_parms *cmd, const char *text)
{
    const char *name = text + 5;

    if (!is_source(text)) {
        return "in the configuration itself";
    }
    if (text[0] == 'e') {
        name = ap_getword_conf(cmd->pool, &name);
    }
    name = ap_server_root_relative(cmd->pool, name);
    return apr_pstrcat(cmd->pool, text[0] == 'e' ? "exec:" : "file:", name ? name : "?", NULL);
}

const char *mod_wxpay_secret_origin(cmd_parms *cmd, int argc, char *const argv[])
{
    const char *origin = one_origin(cmd, argv[0]);

    return argc < 2 || is_until(cmd, 1, argv[1])
               ? origin
               : apr_pstrcat(cmd->pool, origin, ", previous ", one_origin(cmd, argv[1]), NULL);
}

/* One line end belongs to the editor, not to the secret. */
static apr_size_t without_line_end(const char *text, apr_size_t len)
{
    if (len && text[len - 1] == '\n') {
        len--;
        if (len && text[len - 1] == '\r') {
            len--;
        }
    }
    return len;
}

static const char *check_mode(cmd_parms *cmd, const char *path, const struct stat *st)
{
    if (!S_ISREG(st->st_mode)) {
        return apr_psprintf(cmd->pool,
                            "WXP0120: %s is not a file; write the name of a file that "
                            "holds the secret and nothing else",
                            path);
    }
    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        return apr_psprintf(cmd->pool,
                            "WXP0121: others may write to %s (mode %04o); run: chmod "
                            "go-w %s",
                            path, (unsigned)st->st_mode & 07777u, path);
    }
    if (st->st_mode & S_IROTH) {
        warn(cmd, "WXP0122",
             apr_psprintf(cmd->temp_pool,
                          "everybody on this host can read %s; unless a container "
                          "runtime made it so, run: chmod 0600 %s",
                          path, path));
    }
    return NULL;
}

static const char *unreadable(cmd_parms *cmd, const char *path)
{
    int denied = errno == EACCES && geteuid() != 0;
    char text[120];

    apr_strerror(errno, text, sizeof(text));
    return apr_psprintf(
        cmd->pool, "WXP0123: cannot read the key file %s: %s; %s", path, text,
        /* making it anew, as root, would destroy a good key */
        denied ? apr_psprintf(cmd->temp_pool, "run this as root (sudo), or let user %lu read it",
                              (unsigned long)geteuid())
               : apr_psprintf(cmd->temp_pool, "make it, for example: install -m 0600 /dev/stdin %s",
                              path));
}

static const char *from_file(cmd_parms *cmd, const char *name, char *buf, apr_size_t *len)
{
    const char *path = ap_server_root_relative(cmd->pool, name);
    const char *err;
    struct stat st;
    ssize_t n;
    /* Not blocking, so that a FIFO put there cannot hang the start. */
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;

    if (fd < 0) {
        return unreadable(cmd, path ? path : name);
    }
    /* The opened file is looked at, not its name: the name may be another file's by now. */
    err = fstat(fd, &st) == 0 ? check_mode(cmd, path, &st) : unreadable(cmd, path);
    if (!err) {
        n = read(fd, buf, FILE_MAX);
        err = n < 0 ? unreadable(cmd, path) : NULL;
        *len = n < 0 ? 0 : without_line_end(buf, (apr_size_t)n);
    }
    close(fd);
    return err;
}

static const char *from_program(cmd_parms *cmd, const char *line, char *buf, apr_size_t *len)
{
    char **argv = NULL;
    char *out;

    if (apr_tokenize_to_argv(line, &argv, cmd->temp_pool) != APR_SUCCESS || !argv[0]) {
        return "WXP0124: exec: names no program; write: \"exec:/path/to/program args\"";
    }
    argv[0] = ap_server_root_relative(cmd->temp_pool, argv[0]);
    out = argv[0] ? ap_get_exec_line(cmd->temp_pool, argv[0], (const char *const *)argv) : NULL;
    if (!out || !*out) {
        return apr_psprintf(cmd->pool,
                            "WXP0125: the program %s printed no secret; it must be "
                            "executable and print the secret as its first line "
                            "(its environment is empty)",
                            argv[0] ? argv[0] : line);
    }
    *len = strlen(out);
    if (*len > FILE_MAX) {
        *len = FILE_MAX;
    }
    memcpy(buf, out, *len);
    wxpay_secret_wipe(out, *len);
    return NULL;
}

/* The bytes and their number; 0 bytes and no error when configuration is only dumped. */
static const char *fetch(cmd_parms *cmd, const char *text, char *buf, apr_size_t *len)
{
    *len = 0;
    if (!is_source(text)) {
        warn(cmd, "WXP0126",
             "the secret stands in the configuration itself, where everybody who may "
             "read it can see it; better: file:path");
        *len = strlen(text);
        if (*len > FILE_MAX) {
            *len = FILE_MAX;
        }
        memcpy(buf, text, *len);
        return NULL;
    }
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP) {
        return NULL;
    }
    return text[0] == 'f' ? from_file(cmd, text + 5, buf, len)
                          : from_program(cmd, text + 5, buf, len);
}

static const char *read_secret(cmd_parms *cmd, const char *text, apr_size_t min, apr_size_t max,
                               const char *wanted, const wxpay_secret_t **secret)
{
    char buf[FILE_MAX];
    apr_size_t len, i;
    const char *err = fetch(cmd, text, buf, &len);

    if (err ||
        (!len && is_source(text) && ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP)) {
        return err;
    }
    for (i = 0; i < len && buf[i] > ' ' && buf[i] < 127; i++) {
    }
    if (len < min || len > max) {
        err = apr_psprintf(cmd->pool, "WXP0128: the secret has %d bytes; %s", (int)len, wanted);
    }
    else if (i < len) {
        err = apr_psprintf(cmd->pool,
                           "WXP0127: byte %d of the secret is a blank, a line end or not "
                           "ASCII; %s",
                           (int)i + 1, wanted);
    }
    else {
        *secret = wxpay_secret_create(cmd->pool, buf, len);
    }
    wxpay_secret_wipe(buf, sizeof(buf));
    return err;
}

const char *mod_wxpay_secret_key(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    (void)argc;
    return read_secret(cmd, argv[0], 32, 32,
                       "WxPayKey is the API v2 key that was set at pay.weixin.qq.com, exactly 32 "
                       "letters and digits; write: WxPayKey file:/etc/apache2/wxpay/api.key",
                       member);
}

const char *mod_wxpay_secret_key_previous(cmd_parms *cmd, void *member, int argc,
                                          char *const argv[])
{
    mod_wxpay_previous_key_t *previous = member;
    wxpay_error_t err;

    (void)argc;
    if (!is_until(cmd, 1, argv[1]) ||
        wxpay_clock_parse_rfc3339(argv[1] + 6, strlen(argv[1] + 6), &previous->until, &err) !=
            WXPAY_OK) {
        return "WXP0129: the second argument is not a time until when the old key counts; write "
               "for "
               "example: WxPayKeyPrevious file:/etc/apache2/wxpay/old.key "
               "until=2026-12-01T00:00:00+08:00";
    }
    return read_secret(cmd, argv[0], 32, 32,
                       "WxPayKeyPrevious is the API v2 key before WxPayKey, exactly 32 letters and "
                       "digits; write: WxPayKeyPrevious file:/etc/apache2/wxpay/old.key until=...",
                       &previous->key);
}

static const char *one_or_two(cmd_parms *cmd, mod_wxpay_secrets_t *secrets, int argc,
                              char *const argv[])
{
    const char *wanted = apr_pstrcat(cmd->pool, cmd->cmd->name,
                                     " is 16 to 256 printable bytes without blanks; make one with: "
                                     "openssl rand -hex 32",
                                     NULL);
    const char *err = read_secret(cmd, argv[0], 16, 256, wanted, &secrets->current);

    secrets->previous = NULL;
    if (!err && argc > 1) {
        err = read_secret(cmd, argv[1], 16, 256, wanted, &secrets->previous);
    }
    return err;
}

const char *mod_wxpay_secret_api_key(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    return one_or_two(cmd, member, argc, argv);
}

const char *mod_wxpay_secret_link_key(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    return one_or_two(cmd, member, argc, argv);
}

static const char *webhook_key(cmd_parms *cmd, const char *text, const wxpay_secret_t **key)
{
    static const char wanted[] =
        "WxPayDeliverKey is whsec_ and the base64 of 24 to 64 bytes; make one with: "
        "echo whsec_$(openssl rand -base64 32)";
    const wxpay_secret_t *written = NULL;
    const char *err = read_secret(cmd, text, 38, 96, wanted, &written);
    wxpay_error_t why;

    if (!err && written &&
        wxpay_delivery_key(cmd->pool, (const char *)wxpay_secret_bytes(written),
                           wxpay_secret_len(written), key, &why) != WXPAY_OK) {
        err = apr_psprintf(cmd->pool, "WXP0140: the secret is %s; %s", why.detail, wanted);
    }
    return err;
}

const char *mod_wxpay_secret_deliver_key(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    mod_wxpay_secrets_t *secrets = member;
    const char *err = webhook_key(cmd, argv[0], &secrets->current);

    secrets->previous = NULL;
    return !err && argc > 1 ? webhook_key(cmd, argv[1], &secrets->previous) : err;
}
