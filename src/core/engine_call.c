/* engine_call.c - one transfer of the engine: its handle, its reply. */
#include "engine_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_date.h>
#include <apr_strings.h>

#define STEP "engine"
#define MAX_HEADERS 32768 /* bytes of all header lines of one reply */
#define MAX_FREE 128      /* handles kept for later */
#define FIRST_BODY 4096

static int reserve(wxpay_slot_t *slot, apr_size_t len)
{
    apr_size_t cap = slot->body_cap;
    char *body;

    if (slot->body && len < cap) {
        return 1;
    }
    while (cap <= len) {
        cap = cap ? cap * 2 : FIRST_BODY;
    }
    body = realloc(slot->body, cap);
    if (!body) {
        return 0;
    }
    slot->body = body;
    slot->body_cap = cap;
    return 1;
}

static size_t on_body(char *data, size_t size, size_t count, void *baton)
{
    wxpay_slot_t *slot = baton;
    size_t len = size * count;

    if (len > slot->max_reply - slot->body_len) {
        slot->oversized = 1;
        return 0;
    }
    if (!reserve(slot, slot->body_len + len)) {
        return 0;
    }
    memcpy(slot->body + slot->body_len, data, len);
    slot->body_len += len;
    return len;
}

/* The value if the line is this header, trimmed, in out. */
static int header_value(const char *line, size_t len, const char *name, char *out, size_t size)
{
    size_t skip = strlen(name);

    if (len < skip || strncasecmp(line, name, skip)) {
        return 0;
    }
    for (; skip < len && (line[skip] == ' ' || line[skip] == '\t'); skip++) {
    }
    for (; len > skip && (unsigned char)line[len - 1] <= ' '; len--) {
    }
    len -= skip;
    apr_cpystrn(out, line + skip, len < size ? len + 1 : size);
    return 1;
}

static size_t on_header(char *data, size_t size, size_t count, void *baton)
{
    wxpay_slot_t *slot = baton;
    size_t len = size * count;
    char date[64];

    slot->header_bytes += len;
    if (slot->header_bytes > MAX_HEADERS) {
        slot->oversized = 1;
        return 0;
    }
    if (len > 5 && !memcmp(data, "HTTP/", 5)) { /* after a 1xx, or on another connection */
        slot->date = 0;
        slot->request_id[0] = '\0';
    }
    else if (header_value(data, len, "Date:", date, sizeof(date))) {
        slot->date = apr_date_parse_http(date);
    }
    else {
        header_value(data, len, "Request-ID:", slot->request_id, sizeof(slot->request_id));
    }
    return len;
}

static int set_receivers(wxpay_slot_t *slot)
{
    CURL *easy = slot->easy;

    return curl_easy_setopt(easy, CURLOPT_PRIVATE, slot) ||
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error) ||
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) ||
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot) ||
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) ||
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
}

static void slot_destroy(wxpay_slot_t *slot)
{
    curl_easy_cleanup(slot->easy);
    curl_slist_free_all(slot->headers);
    curl_slist_free_all(slot->connect_to);
    free(slot->body);
    free(slot);
}

static wxpay_slot_t *slot_get(wxpay_engine_t *engine)
{
    wxpay_slot_t *slot = engine->free_slots;

    if (slot) {
        engine->free_slots = slot->next;
        engine->free_count--;
        return slot;
    }
    slot = calloc(1, sizeof(*slot));
    if (!slot) {
        return NULL;
    }
    slot->engine = engine;
    slot->easy = curl_easy_init();
    if (!slot->easy || set_receivers(slot) || wxpay_slot_rules(slot)) {
        slot_destroy(slot);
        return NULL;
    }
    return slot;
}

static void slot_put(wxpay_engine_t *engine, wxpay_slot_t *slot)
{
    if (engine->free_count >= MAX_FREE) {
        slot_destroy(slot);
        return;
    }
    slot->next = engine->free_slots;
    engine->free_slots = slot;
    engine->free_count++;
}

static void slot_link(wxpay_engine_t *engine, wxpay_slot_t *slot)
{
    slot->next = engine->busy_slots;
    slot->link = &engine->busy_slots;
    if (slot->next) {
        slot->next->link = &slot->next;
    }
    engine->busy_slots = slot;
    atomic_fetch_add(&engine->active, 1);
}

static void slot_unlink(wxpay_engine_t *engine, wxpay_slot_t *slot)
{
    *slot->link = slot->next;
    if (slot->next) {
        slot->next->link = slot->link;
    }
    atomic_fetch_sub(&engine->active, 1);
}

void wxpay_slot_start(wxpay_engine_t *engine, wxpay_call_t *call)
{
    wxpay_slot_t *slot = slot_get(engine);

    if (!slot || !reserve(slot, 0) || wxpay_slot_request(slot, &call->request) ||
        curl_multi_add_handle(engine->multi, slot->easy)) {
        if (slot) {
            slot_destroy(slot);
        }
        wxpay_call_refuse(engine, call, WXPAY_EINTERNAL, "libcurl refuses to work");
        return;
    }
    slot->done = call->done;
    slot->baton = call->baton;
    slot_link(engine, slot);
    free(call);
}

static int is_tls(CURLcode result)
{
    switch (result) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return 1;
    default:
        return 0;
    }
}

/* Certainly nothing of the request left: the connection never stood, by all accounts of libcurl. */
static int nothing_sent(CURL *easy, CURLcode result)
{
    long head = 0, tunnel = 0;
    curl_off_t body = 0, ready = 0;

    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (tunnel && tunnel / 100 != 2) {
        return 1; /* the proxy refused the tunnel; the bytes counted below were for itself */
    }
    switch (result) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        break;
    default:
        if (!is_tls(result)) {
            return 0;
        }
    }
    /* Through a tunnel the first counts what was said to the proxy. */
    return !curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &head) && (head == 0 || tunnel) &&
           !curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &body) && body == 0 &&
           !curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready) && ready == 0;
}

static void explain(wxpay_slot_t *slot, CURLcode result, int sent, wxpay_error_t *err)
{
    const char *why = slot->error[0] ? slot->error : curl_easy_strerror(result);
    const char *hint = "";
    long os_error = 0;

    curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &os_error);
    if (result == CURLE_COULDNT_CONNECT && os_error == EACCES) {
        hint = " (not permitted; with SELinux: setsebool -P httpd_can_network_connect on)";
    }
    if (slot->oversized) {
        why = "the reply is too large";
    }
    wxpay_error_set(err, WXPAY_ENET, STEP, "%s: %s%s", slot->host, why, hint);
    err->flags = sent ? WXPAY_ERR_RETRY | WXPAY_ERR_AMBIGUOUS : WXPAY_ERR_RETRY;
}

void wxpay_slot_finish(wxpay_engine_t *engine, CURL *easy, CURLcode result)
{
    wxpay_http_reply_t reply = {0};
    wxpay_error_t err;
    wxpay_slot_t *slot = NULL;
    curl_off_t elapsed = 0;
    long status = 0, connections = 0;

    curl_multi_remove_handle(engine->multi, easy);
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &elapsed);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
    wxpay_error_clear(&err);
    reply.sent = result == CURLE_OK || !nothing_sent(easy, result);
    if (result == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        reply.status = (int)status;
    }
    else {
        reply.tls = is_tls(result);
        explain(slot, result, reply.sent, &err);
        slot->body_len = 0;
    }
    slot->body[slot->body_len] = '\0';
    reply.body = slot->body;
    reply.body_len = slot->body_len;
    reply.request_id = slot->request_id;
    reply.date = slot->date;
    reply.elapsed = elapsed;
    reply.host = slot->host;
    atomic_fetch_add(&engine->calls, 1);
    atomic_fetch_add(&engine->connections, (unsigned long)connections);
    /* Its place is free before it is answered: the answer may be to ask another host. */
    slot_unlink(engine, slot);
    atomic_fetch_sub(&engine->outstanding, 1);
    slot->done(slot->baton, &reply, &err);
    if (connections) {
        /* libcurl 7.88 adds up, over the whole life of a handle, how often it found a kept
         * connection dead and made another, and fails the sixth such call. */
        slot_destroy(slot);
    }
    else {
        slot_put(engine, slot);
    }
}

void wxpay_call_refuse(wxpay_engine_t *engine, wxpay_call_t *call, wxpay_rc_e code, const char *why)
{
    wxpay_http_reply_t reply = {.body = "", .request_id = "", .host = ""};
    wxpay_error_t err;

    wxpay_error_set(&err, code, STEP, "%s", why);
    if (code == WXPAY_EBUSY) {
        err.flags = WXPAY_ERR_RETRY;
    }
    atomic_fetch_sub(&engine->outstanding, 1);
    call->done(call->baton, &reply, &err);
    free(call);
}

void wxpay_slots_destroy(wxpay_engine_t *engine)
{
    wxpay_slot_t *slot, *next;

    for (slot = engine->busy_slots; slot; slot = next) {
        next = slot->next;
        curl_multi_remove_handle(engine->multi, slot->easy);
        slot_destroy(slot);
    }
    for (slot = engine->free_slots; slot; slot = next) {
        next = slot->next;
        slot_destroy(slot);
    }
}
