#include "verify.h"
#include "deliver.h"
#include "delivery.h"
#include "io.h"
#include "lifecycle.h"
#include "module.h"
#include "paths.h"
#include "verified.h"
#include <http_request.h>
#include <apr_strings.h>

#define FOUND "mod_wxpay:delivery" /* in the first request's pool */

/* What was found out about a request; refused: entered is NULL. */
typedef struct found_t {
    mod_wxpay_verified_t *entered;
} found_t;

/* The one whose pool sub-requests and internal redirects have in common. */
static request_rec *main_of(request_rec *r)
{
    while (r->main) {
        r = r->main;
    }
    return r;
}

static const found_t *found_of(request_rec *r)
{
    void *found = NULL;

    apr_pool_userdata_get(&found, FOUND, main_of(r)->pool);
    return found;
}

static const mod_wxpay_verified_t *entered_of(request_rec *r)
{
    const found_t *found = mod_wxpay_active() ? found_of(r) : NULL;

    return found ? found->entered : NULL;
}

/* MergeSlashes Off leaves "//" in URIs, but directories know no difference. */
static int is_guarded(request_rec *r)
{
    const char *path = mod_wxpay_config_server(r->server)->deliver.path;
    char *uri;

    if (!path || !strstr(r->uri, "//")) {
        return mod_wxpay_config_dir(r)->verify_delivery || mod_wxpay_path_rest(path, r->uri);
    }
    uri = apr_pstrdup(r->pool, r->uri);
    ap_no2slash(uri);
    return mod_wxpay_config_dir(r)->verify_delivery || mod_wxpay_path_rest(path, uri);
}

/* Anybody can send these: a handful of lines a minute, and nothing in them that was sent. */
static int refuse(request_rec *r, const wxpay_error_t *err)
{
    const char *advice =
        err->code == WXPAY_ESIGN ? ": the sender's WxPayDeliverKey is another one, or something on "
                                   "the way changed the body"
        : err->code == WXPAY_EMISMATCH ? ": set the clocks of both hosts, if it came from there"
        : err->code == WXPAY_ECONFLICT ? ": if this server passes deliveries on to itself, let "
                                         "WxPayDeliverTo name the last address"
                                       : "";
    unsigned unsaid;

    if (mod_wxpay_log_limit(&mod_wxpay_gate()->refused, apr_time_now(), &unsaid)) {
        if (unsaid) {
            ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                          "WXP0802: %u more deliveries were refused without a line", unsaid);
        }
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "WXP0803: delivery not let in (%s): %s%s",
                      wxpay_rc_name(err->code), err->detail, advice);
    }
    return err->code == WXPAY_EBUSY || err->code == WXPAY_EINTERNAL ? HTTP_SERVICE_UNAVAILABLE
                                                                    : HTTP_NOT_FOUND;
}

static int refuse_for(request_rec *r, wxpay_rc_e code, const char *why)
{
    wxpay_error_t err;

    wxpay_error_set(&err, code, "delivery", "%s", why);
    return refuse(r, &err);
}

/* From now on there is one body of known length, however it came. */
static void keep_body(request_rec *r, mod_wxpay_verified_t *entered)
{
    apr_table_unset(r->headers_in, "Transfer-Encoding");
    apr_table_setn(r->headers_in, "Content-Length",
                   apr_psprintf(r->pool, "%" APR_SIZE_T_FMT, entered->len));
    /* Likewise: what came behind this body. */
    mod_wxpay_paths_drop_look_alikes(r);
}

static int check(request_rec *r, const wxpay_delivery_headers_t *headers,
                 mod_wxpay_verified_t *entered)
{
    const wxpay_secret_t *key, *previous;
    apr_time_t now = apr_time_now();
    wxpay_error_t err;
    int status;

    if (!mod_wxpay_deliver_keys(mod_wxpay_config_server(r->server), &key, &previous)) {
        return refuse_for(r, WXPAY_ENOTFOUND,
                          "this server has no key to verify it with: write WxPayDeliverKey here, "
                          "the same as where it comes from");
    }
    status = mod_wxpay_read_body(r, WXPAY_DELIVERY_MAX, &entered->body, &entered->len);
    if (status == AP_FILTER_ERROR) {
        return status; /* httpd has answered already */
    }
    if (status != OK) {
        return refuse_for(r, WXPAY_EPARSE,
                          status == HTTP_REQUEST_ENTITY_TOO_LARGE ? "the body is over 64 KiB"
                                                                  : "the body was cut or broken");
    }
    wxpay_error_clear(&err);
    if (wxpay_delivery_verify(key, previous, headers, entered->body, entered->len, now, &err) !=
            WXPAY_OK ||
        wxpay_delivery_read(r->pool, entered->body, entered->len, &entered->delivery, &err) !=
            WXPAY_OK ||
        wxpay_replay_note(&mod_wxpay_gate()->entered, headers->id, headers->timestamp, now, &err) !=
            WXPAY_OK) {
        return refuse(r, &err);
    }
    entered->id = headers->id;
    keep_body(r, entered);
    return OK;
}

/* OK, or what to answer. */
static int verify(request_rec *r, mod_wxpay_verified_t *entered)
{
    const wxpay_delivery_headers_t headers = {apr_table_get(r->headers_in, "webhook-id"),
                                              apr_table_get(r->headers_in, "webhook-timestamp"),
                                              apr_table_get(r->headers_in, "webhook-signature")};

    if (!mod_wxpay_gate()) {
        return HTTP_SERVICE_UNAVAILABLE; /* said when the server started */
    }
    if (!headers.id && !headers.timestamp && !headers.signature) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "only deliveries may enter here: 404");
        return HTTP_NOT_FOUND;
    }
    if (r->method_number != M_POST) {
        return refuse_for(r, WXPAY_EPARSE, "its method is not POST");
    }
    return check(r, &headers, entered);
}

static int enter(request_rec *r)
{
    found_t *found = apr_pcalloc(r->pool, sizeof(*found));
    mod_wxpay_verified_t *entered = apr_pcalloc(r->pool, sizeof(*entered));
    int status = verify(r, entered);

    found->entered = status == OK ? entered : NULL;
    apr_pool_userdata_setn(found, FOUND, NULL, r->pool);
    return status;
}

/* httpd's core answers TRACE before it knows the directory. <Location> is known here, but not any
 * more in map_to_storage, where it answers. */
int mod_wxpay_verify_translate(request_rec *r)
{
    return r->method_number == M_TRACE && mod_wxpay_active() && is_guarded(r) ? HTTP_NOT_FOUND
                                                                              : DECLINED;
}

int mod_wxpay_verify_post_perdir_config(request_rec *r)
{
    const found_t *found;
    int status;

    if (!mod_wxpay_active()) {
        return DECLINED;
    }
    found = found_of(r);
    if (!found || !found->entered) {
        if (!is_guarded(r)) {
            return DECLINED;
        }
        /* Its document for errors, say, lies in such a place as well: said once is enough. */
        if (r->main || found) {
            return HTTP_NOT_FOUND;
        }
        status = enter(r);
        if (status != OK) {
            return status;
        }
        found = found_of(r);
    }
    if (!r->main && r->method_number == M_POST) {
        mod_wxpay_verified_offer(r, found->entered);
    }
    return DECLINED;
}

/* A delivery is nobody, but httpd does not go on to authorisation without a user. */
int mod_wxpay_verify_authn(request_rec *r)
{
    if (!entered_of(r)) {
        return DECLINED;
    }
    r->user = apr_pstrdup(r->pool, "");
    return OK;
}

int mod_wxpay_verify_authz(request_rec *r)
{
    if (!entered_of(r)) {
        return DECLINED;
    }
    r->user = NULL;
    return OK;
}

int mod_wxpay_verify_fixups(request_rec *r)
{
    if (!mod_wxpay_active()) {
        return DECLINED;
    }
    /* A login that read a form may have brought in more headers behind it (MergeTrailers). */
    if (ap_is_initial_req(r)) {
        mod_wxpay_paths_drop_look_alikes(r);
    }
    mod_wxpay_verified_environment(r, entered_of(r));
    return DECLINED;
}

int mod_wxpay_verify_log(request_rec *r)
{
    const mod_wxpay_verified_t *entered = entered_of(r);

    while (r->next) {
        r = r->next; /* whose environment the log shows */
    }
    /* For the log it does not matter what happened to the order; no script sees this any more. */
    if (entered && entered->delivery.out_trade_no) {
        apr_table_setn(r->subprocess_env, "WXPAY_OUT_TRADE_NO", entered->delivery.out_trade_no);
    }
    return DECLINED;
}
