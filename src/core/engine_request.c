/* engine_request.c - what a transfer handle is set to: the rules for going out, and one request. */
#include "engine_int.h"

#include <string.h>

#include <apr_strings.h>

#define IDLE_CONNECTION 50L /* seconds; below the 60-75 after which servers hang up */

static int set_verify(CURL *easy, int verify)
{
    return curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L) ||
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
}

int wxpay_slot_rules(wxpay_slot_t *slot)
{
    CURL *easy = slot->easy;

    return curl_easy_setopt(easy, CURLOPT_USERAGENT, slot->engine->user_agent) ||
           curl_easy_setopt(easy, CURLOPT_POST, 1L) ||
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) ||
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) ||
           curl_easy_setopt(easy, CURLOPT_PROXY, "") ||
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") ||
           /* Nothing goes through a proxy but a tunnel, and nothing that it says counts. */
           curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L) ||
           curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) ||
           curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE) ||
           curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) ||
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
           curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ||
           set_verify(easy, 1)
           /* Only a store that comes from one file is kept parsed by libcurl. */
           || curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) ||
           curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 24 * 3600L)
           /* Messages are 1-2 KB; libcurl's usual 80 KB would come and go with every call. */
           || curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L) ||
           curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L) ||
           curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) ||
           curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION) ||
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

/* Content-Type, further ones, and no waiting for a 100. NULL: out of memory. */
static struct curl_slist *header_list(const wxpay_http_request_t *request)
{
    static const char *const none[] = {NULL};
    const char *const *more = request->headers ? request->headers : none;
    struct curl_slist *list, *longer;
    char line[sizeof(((wxpay_slot_t *)NULL)->content_type) + 16];

    apr_snprintf(line, sizeof(line), "Content-Type: %s", request->content_type);
    list = curl_slist_append(NULL, line);
    longer = list ? curl_slist_append(list, "Expect:") : NULL;
    for (; longer && *more; more++) {
        longer = curl_slist_append(list, *more);
    }
    if (!longer) {
        curl_slist_free_all(list);
    }
    return longer;
}

static int set_headers(wxpay_slot_t *slot, const wxpay_http_request_t *request)
{
    struct curl_slist *list;

    if (!request->headers && !strcmp(slot->content_type, request->content_type)) {
        return 0;
    }
    list = header_list(request);
    if (!list || curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, list)) {
        curl_slist_free_all(list);
        return 1;
    }
    curl_slist_free_all(slot->headers);
    slot->headers = list;
    apr_cpystrn(slot->content_type, request->headers ? "" : request->content_type,
                sizeof(slot->content_type));
    return 0;
}

static int set_ca(wxpay_slot_t *slot, const char *ca_pem)
{
    struct curl_blob blob;

    if (slot->ca_pem == ca_pem) {
        return 0;
    }
    slot->ca_pem = ca_pem;
    if (!ca_pem) {
        return curl_easy_setopt(slot->easy, CURLOPT_CAINFO_BLOB, NULL) != 0;
    }
    /* libcurl only reads through the pointer. */
    memcpy(&blob.data, &ca_pem, sizeof(blob.data));
    blob.len = strlen(ca_pem);
    blob.flags = CURL_BLOB_NOCOPY;
    return curl_easy_setopt(slot->easy, CURLOPT_CAINFO_BLOB, &blob) != 0;
}

/* An empty list of exceptions keeps the environment's out, as "*" keeps its proxies out. */
static int set_proxy(wxpay_slot_t *slot, const char *proxy)
{
    if (slot->proxy == proxy) {
        return 0;
    }
    slot->proxy = proxy;
    return curl_easy_setopt(slot->easy, CURLOPT_PROXY, proxy ? proxy : "") ||
           curl_easy_setopt(slot->easy, CURLOPT_NOPROXY, proxy ? "" : "*");
}

/* Every call says again whom it trusts: the one before may have been to our own listener. */
static int set_connect_to(wxpay_slot_t *slot, const char *address)
{
    struct curl_slist *list = NULL;
    char line[300];

    if (!address && !slot->connect_to) {
        return 0;
    }
    if (address) {
        apr_snprintf(line, sizeof(line), "::%s", address); /* whatever host and port */
        list = curl_slist_append(NULL, line);
    }
    if ((address && !list) || curl_easy_setopt(slot->easy, CURLOPT_CONNECT_TO, list)) {
        curl_slist_free_all(list);
        return 1;
    }
    curl_slist_free_all(slot->connect_to);
    slot->connect_to = list;
    /* A connection to ourselves that is kept holds a worker (prefork: a process) of ours. It is
     * cheap to make, and where a kept one died, libcurl 7.88 may wait without end for the one that
     * it makes instead: on loopback that has the same descriptor and is wanted for the same thing,
     * so that nobody is told to watch it. */
    return curl_easy_setopt(slot->easy, CURLOPT_FRESH_CONNECT, address ? 1L : 0L) ||
           curl_easy_setopt(slot->easy, CURLOPT_FORBID_REUSE, address ? 1L : 0L) ||
           set_verify(slot->easy, !address);
}

/* "host:port" of an URL, for people. */
static void name_host(wxpay_slot_t *slot, const char *url)
{
    const char *from = strstr(url, "://");
    apr_size_t len;

    from = from ? from + 3 : url;
    len = strcspn(from, "/?#");
    apr_cpystrn(slot->host, from, len < sizeof(slot->host) ? len + 1 : sizeof(slot->host));
}

int wxpay_slot_request(wxpay_slot_t *slot, const wxpay_http_request_t *request)
{
    CURL *easy = slot->easy;
    const char *protocols = !strncmp(request->url, "https:", 6) ? "https" : "http";

    slot->max_reply = request->max_reply;
    slot->body_len = slot->header_bytes = 0;
    slot->oversized = 0;
    slot->date = 0;
    slot->request_id[0] = slot->error[0] = '\0';
    name_host(slot, request->url);
    return set_headers(slot, request) || set_ca(slot, request->ca_pem) ||
           set_proxy(slot, request->proxy) || set_connect_to(slot, request->connect_to) ||
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols) ||
           curl_easy_setopt(easy, CURLOPT_URL, request->url) ||
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len) ||
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body) ||
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)apr_time_as_msec(request->timeout)) ||
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long)apr_time_as_msec(request->connect_timeout));
}
