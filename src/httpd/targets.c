#include "targets.h"

#include <string.h>

#include <ap_listen.h>
#include <apr_strings.h>
#include <http_core.h>

#include "token.h"
#include "values.h"

/* ---- the server that answers under a name ---- */

static int listed(const apr_array_header_t *names, const char *host, int wild)
{
    int i;

    for (i = 0; names && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (name && (wild ? ap_strcasecmp_match(host, name) : ap_cstr_casecmp(host, name)) == 0) {
            return 1;
        }
    }
    return 0;
}

static int answers_to(const server_rec *s, const char *host)
{
    const char *name = mod_wxpay_config_server(s)->name;

    return (name && ap_cstr_casecmp(name, host) == 0) || listed(s->names, host, 0) ||
           listed(s->wild_names, host, 1);
}

/* ---- what the configuration tree says of a server ---- */

static const ap_directive_t *block_of(const server_rec *s)
{
    const ap_directive_t *node = ap_conftree;

    while (s->is_virtual && node &&
           !(node->line_num == (int)s->defn_line_number &&
             ap_cstr_casecmp(node->directive, "<VirtualHost") == 0 &&
             strcmp(node->filename, s->defn_name) == 0)) {
        node = node->next;
    }
    return s->is_virtual && node ? node->first_child : node;
}

/* 1 if the directive is switched on in this server or, where it says nothing, in the main one. */
static int is_on(const server_rec *main_server, const server_rec *s, const char *directive)
{
    const ap_directive_t *node;
    int on = -1;

    for (node = block_of(s); node; node = node->next) {
        if (ap_cstr_casecmp(node->directive, directive) == 0) {
            on = ap_cstr_casecmpn(node->args, "off", 3) != 0;
        }
    }
    return on >= 0 ? on : s != main_server && is_on(main_server, main_server, directive);
}

/* ---- its address ---- */

typedef struct door_t {
    const ap_listen_rec *listener;
    const server_addr_rec *addr; /* NULL: the main server's, any */
    int tls;
} door_t;

static int is_wildcard(const apr_sockaddr_t *addr)
{
    return !addr || apr_sockaddr_is_wildcard(addr);
}

/* 1 if what comes in at this listener may be for this address of a virtual host. */
static int meets(const ap_listen_rec *listener, const server_addr_rec *addr)
{
    const apr_sockaddr_t *bound = listener->bind_addr;

    return !addr || ((addr->host_port == 0 || addr->host_port == bound->port) &&
                     (is_wildcard(addr->host_addr) || is_wildcard(bound) ||
                      strcmp(addr->virthost, "_default_") == 0 ||
                      apr_sockaddr_equal(addr->host_addr, bound)));
}

/* Whether some virtual host takes all that comes to this listener away from the main server. */
static int taken(const server_rec *main_server, const ap_listen_rec *listener)
{
    const server_rec *s;
    const server_addr_rec *addr;

    for (s = main_server->next; s; s = s->next) {
        for (addr = s->addrs; addr; addr = addr->next) {
            if (meets(listener, addr)) {
                return 1;
            }
        }
    }
    return 0;
}

static int tls_at(const server_rec *main_server, const server_rec *s, const ap_listen_rec *listener)
{
    return (listener->protocol && strcmp(listener->protocol, "https") == 0) ||
           is_on(main_server, s, "SSLEngine");
}

/* The first door of this server, one with the wanted scheme if there is such a one. */
static int find_door(const server_rec *main_server, const server_rec *s, int tls, door_t *door)
{
    const server_addr_rec *addr = s->is_virtual ? s->addrs : NULL;
    int found = 0;

    do {
        const ap_listen_rec *listener;

        for (listener = ap_listeners; listener; listener = listener->next) {
            door_t this = {listener, addr, 0};

            if (!listener->bind_addr || !meets(listener, addr) ||
                (!s->is_virtual && taken(main_server, listener))) {
                continue;
            }
            this.tls = tls_at(main_server, s, listener);
            if (!found || (this.tls == tls && door->tls != tls)) {
                *door = this;
                found = 1;
            }
        }
        addr = addr ? addr->next : NULL;
    } while (addr);
    return found;
}

static const char *loopback_of(const apr_sockaddr_t *bound)
{
#if APR_HAVE_IPV6 && !defined(AP_ENABLE_V4_MAPPED)
    if (bound->family == APR_INET6) {
        return "[::1]";
    }
#endif
    (void)bound; /* a wildcard listener for IPv6 takes IPv4 as well */
    return "127.0.0.1";
}

static const char *address_of(apr_pool_t *p, const door_t *door)
{
    const apr_sockaddr_t *bound = door->listener->bind_addr;
    const apr_sockaddr_t *addr = !is_wildcard(bound) ? bound
                                 : door->addr && !is_wildcard(door->addr->host_addr) &&
                                         strcmp(door->addr->virthost, "_default_") != 0
                                     ? door->addr->host_addr
                                     : NULL;
    char *ip = NULL;

    if (!addr || apr_sockaddr_ip_get(&ip, (apr_sockaddr_t *)addr) != APR_SUCCESS) {
        return apr_psprintf(p, "%s:%u", loopback_of(bound), bound->port);
    }
    return apr_psprintf(p, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, bound->port);
}

/* ---- targets ---- */

/* Main servers mostly only hold what virtual hosts inherit: who serves the public URL then? */
static const server_rec *server_of(const server_rec *main_server, const server_rec *s,
                                   const char *host, int tls)
{
    const server_rec *best = NULL, *each;
    door_t door;
    int score = 0;

    for (each = s->is_virtual ? NULL : main_server->next; each; each = each->next) {
        int fit = answers_to(each, host) && find_door(main_server, each, tls, &door)
                      ? 1 + (door.tls == tls)
                      : 0;

        if (fit > score) {
            best = each;
            score = fit;
        }
    }
    return best ? best : s;
}

/* The name to ask for there: the public one, unless another virtual host would answer to it. */
static const char *name_for(const server_rec *there, const char *host)
{
    const char *name = mod_wxpay_config_server(there)->name;

    return answers_to(there, host) || !name ? host : name;
}

static const char *own_listener(apr_pool_t *p, const server_rec *main_server, const server_rec *s,
                                const char *public_url, wxpay_target_t *target, const char *path)
{
    apr_uri_t uri;
    const server_rec *there;
    const char *host;
    door_t door;
    int tls;

    if (apr_uri_parse(p, public_url, &uri) != APR_SUCCESS || !uri.hostname) {
        return "the public URL has no host";
    }
    tls = strcmp(uri.scheme, "https") == 0;
    there = server_of(main_server, s, uri.hostname, tls);
    if (is_on(main_server, there, "RemoteIPProxyProtocol")) {
        return "it takes connections by the PROXY protocol only";
    }
    if (!find_door(main_server, there, tls, &door)) {
        return "no Listen directive leads to this server";
    }
    host = name_for(there, uri.hostname);
    target->connect_to = address_of(p, &door);
    target->url = apr_psprintf(p, "%s://%s%s%s%s%s%s", door.tls ? "https" : "http",
                               strchr(host, ':') ? "[" : "", host, strchr(host, ':') ? "]" : "",
                               uri.port_str ? ":" : "", uri.port_str ? uri.port_str : "", path);
    return NULL;
}

wxpay_target_t *mod_wxpay_target_make(apr_pool_t *p, const server_rec *main_server,
                                      const server_rec *s, const char *public_url,
                                      const char **problem)
{
    const mod_wxpay_server_t *cfg = mod_wxpay_config_server(s);
    wxpay_target_t *target;

    *problem = NULL;
    if (!cfg->deliver.url && !cfg->deliver.path) {
        return NULL;
    }
    target = apr_pcalloc(p, sizeof(*target));
    target->index = cfg->index;
    target->types = cfg->deliver.types;
    target->url = cfg->deliver.url;
    target->ca_pem = cfg->deliver_ca_pem;
    target->key = cfg->deliver_key.current;
    target->previous_key = cfg->deliver_key.previous;
    if (cfg->deliver.path) {
        *problem = own_listener(p, main_server, s, public_url, target, cfg->deliver.path);
    }
    return *problem ? NULL : target;
}

wxpay_rc_e mod_wxpay_targets_keys(apr_pool_t *p, server_rec *main_server,
                                  const wxpay_secret_t *state_secret, wxpay_error_t *err)
{
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        const mod_wxpay_server_t *cfg = mod_wxpay_config_server(s);
        wxpay_secret_t *key;

        if (!cfg->target || cfg->target->key) {
            continue;
        }
        if (wxpay_token_derive(p, state_secret, "deliver", cfg->account->site, &key, err) !=
            WXPAY_OK) {
            return err->code;
        }
        cfg->target->key = key;
    }
    return WXPAY_OK;
}

/* ---- sites ---- */

/* Several servers may keep one site, as the main server does with the virtual host that inherits
 * its merchant: the one that tells somebody speaks for it, else one that hears of payments. */
static int rank(const wxpay_account_t *account)
{
    return (account->target ? 2 : 0) + (account->notify_url ? 1 : 0);
}

/* Sub-merchants share their provider's mch_id: none of them may answer for another's orders. */
static int may_inherit(const wxpay_account_t *only, const wxpay_account_t *account)
{
    return !account->sub_mch_id && (!only || strcmp(only->site, account->site) == 0);
}

const wxpay_account_t *mod_wxpay_sites_find(void *main_server, const char *mch_id, const char *site)
{
    const wxpay_account_t *found = NULL, *only = NULL;
    const server_rec *s;
    int several = 0;

    for (s = main_server; s; s = s->next) {
        const wxpay_account_t *account = mod_wxpay_config_server(s)->account;

        if (!account || strcmp(account->mch_id, mch_id) != 0) {
            continue;
        }
        if (strcmp(account->site, site) == 0 && (!found || rank(account) > rank(found))) {
            found = account;
        }
        several = several || !may_inherit(only, account);
        only = !only || rank(account) > rank(only) ? account : only;
    }
    return found ? found : several ? NULL : only;
}
