/* loopback.c - a small HTTP server on 127.0.0.1 for tests. */
#include "loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#define MAX_CONNECTIONS 1024
#define MAX_MESSAGE 65536
#define BIG 200000

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "loopback server: %s\n", #condition);                                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct loopback_t {
    apr_pool_t *pool;
    SSL_CTX *tls;
    const char *ca_pem; /* NULL without TLS */
    int listener;
    int port;
    pthread_t acceptor;
    atomic_int stopping;
    atomic_int connections;
    atomic_int requests;
    pthread_mutex_t lock;
    int fds[MAX_CONNECTIONS]; /* by connection; -1 once closed */
    pthread_t threads[MAX_CONNECTIONS];
};

typedef struct line_t {
    loopback_t *server;
    int at; /* index of fds */
    int fd;
    SSL *ssl;
} line_t;

static int receive(line_t *line, char *data, int size)
{
    return line->ssl ? SSL_read(line->ssl, data, size) : (int)recv(line->fd, data, size, 0);
}

static int deliver(line_t *line, const char *data, size_t len)
{
    ssize_t some;

    for (; len; data += some, len -= (size_t)some) {
        some = line->ssl ? SSL_write(line->ssl, data, (int)len)
                         : send(line->fd, data, len, MSG_NOSIGNAL);
        if (some <= 0) {
            return 0;
        }
    }
    return 1;
}

/* One whole request into text. Returns its length and where its body begins, or 0. */
static int read_request(line_t *line, char *text, int *body_at)
{
    int len = 0, got, want;
    char *end, *header;

    for (;;) {
        text[len] = '\0';
        end = strstr(text, "\r\n\r\n");
        if (end) {
            header = strcasestr(text, "Content-Length:");
            want = header && header < end ? atoi(header + 15) : 0;
            *body_at = (int)(end + 4 - text);
            if (len >= *body_at + want) {
                return len;
            }
        }
        got = receive(line, text + len, MAX_MESSAGE - len - 1);
        if (got <= 0) {
            return 0;
        }
        len += got;
    }
}

static int answer(line_t *line, const char *status, const char *extra, const char *body)
{
    char *text = malloc(strlen(body) + 512);
    int len, sent;

    len = sprintf(text,
                  "HTTP/1.1 %s\r\nDate: Tue, 24 Nov 2026 03:05:00 GMT\r\nRequest-ID: REQ 1 \r\n"
                  "%sContent-Length: %zu\r\n\r\n%s",
                  status, extra, strlen(body), body);
    sent = deliver(line, text, (size_t)len);
    free(text);
    return sent;
}

static int big(line_t *line, int headers)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n";
    static const char filler[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    char *body;
    size_t sent;
    int ok;

    if (headers) {
        ok = deliver(line, head, sizeof(head) - 1);
        for (sent = 0; ok && sent < BIG; sent += sizeof(filler)) {
            ok = deliver(line, filler, sizeof(filler) - 1);
        }
        return 0;
    }
    body = malloc(BIG + 1);
    memset(body, 'x', BIG);
    body[BIG] = '\0';
    ok = answer(line, "200 OK", "", body);
    free(body);
    return ok;
}

/* 1 to keep the connection. */
static int reply(line_t *line, const char *path, const char *body)
{
    char status[32];
    char head[4096];

    if (!strncmp(path, "/echo ", 6)) {
        return answer(line, "200 OK", "", body);
    }
    if (!strncmp(path, "/head ", 6)) {
        snprintf(head, sizeof(head), "%.*s", (int)(body - path), path);
        return answer(line, "200 OK", "", head);
    }
    if (!strncmp(path, "/slow/", 6)) {
        usleep((useconds_t)atoi(path + 6) * 1000);
        return answer(line, "200 OK", "", body);
    }
    if (!strncmp(path, "/status/", 8)) {
        snprintf(status, sizeof(status), "%d Some", atoi(path + 8));
        return answer(line, status, "", body);
    }
    if (!strncmp(path, "/redirect ", 10)) {
        return answer(line, "302 Found", "Location: /echo\r\n", "");
    }
    if (!strncmp(path, "/stall ", 7)) {
        while (!atomic_load(&line->server->stopping)) {
            usleep(10000);
        }
    }
    if (!strncmp(path, "/cut ", 5)) {
        deliver(line, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<xml>", 46);
    }
    if (!strncmp(path, "/once ", 6)) {
        answer(line, "200 OK", "", body);
    }
    if (!strncmp(path, "/bye ", 5)) {
        answer(line, "200 OK", "", body);
        SSL_shutdown(line->ssl);
    }
    if (!strncmp(path, "/huge ", 6) || !strncmp(path, "/endless ", 9)) {
        return big(line, path[1] == 'e');
    }
    return 0;
}

static void talk(line_t *line)
{
    char *text = malloc(MAX_MESSAGE);
    int body_at;

    while (read_request(line, text, &body_at)) {
        atomic_fetch_add(&line->server->requests, 1);
        if (strncmp(text, "POST ", 5) || !reply(line, text + 5, text + body_at)) {
            break;
        }
    }
    free(text);
}

static void *connection(void *data)
{
    line_t *line = data;
    loopback_t *server = line->server;

    if (!server->tls) {
        talk(line);
    }
    else {
        line->ssl = SSL_new(server->tls);
        SSL_set_fd(line->ssl, line->fd);
        if (SSL_accept(line->ssl) == 1) {
            talk(line);
        }
        SSL_free(line->ssl);
    }
    pthread_mutex_lock(&server->lock);
    close(line->fd);
    server->fds[line->at] = -1;
    pthread_mutex_unlock(&server->lock);
    free(line);
    return NULL;
}

static void *accept_all(void *data)
{
    loopback_t *server = data;
    line_t *line;
    int fd, at, on = 1;

    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        line = calloc(1, sizeof(*line));
        pthread_mutex_lock(&server->lock);
        at = atomic_fetch_add(&server->connections, 1);
        must(at < MAX_CONNECTIONS);
        line->server = server;
        line->at = at;
        line->fd = server->fds[at] = fd;
        must(!pthread_create(&server->threads[at], NULL, connection, line));
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static void make_certificate(loopback_t *server)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *pem;
    char *text;
    long len;

    must(key && cert && X509_set_version(cert, 2));
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"loopback test", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, NID_subject_alt_name, "IP:127.0.0.1");
    must(X509_sign(cert, key, EVP_sha256()));
    pem = BIO_new(BIO_s_mem());
    must(pem && PEM_write_bio_X509(pem, cert));
    len = BIO_get_mem_data(pem, &text);
    server->ca_pem = apr_pstrmemdup(server->pool, text, (apr_size_t)len);
    BIO_free(pem);
    server->tls = SSL_CTX_new(TLS_server_method());
    must(SSL_CTX_use_certificate(server->tls, cert) == 1 &&
         SSL_CTX_use_PrivateKey(server->tls, key) == 1);
    X509_free(cert);
    EVP_PKEY_free(key);
}

loopback_t *loopback_start(apr_pool_t *pool, int tls)
{
    loopback_t *server = apr_pcalloc(pool, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);

    server->pool = pool;
    pthread_mutex_init(&server->lock, NULL);
    if (tls) {
        make_certificate(server);
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    must(!bind(server->listener, (struct sockaddr *)&address, sizeof(address)));
    must(!listen(server->listener, 512));
    must(!getsockname(server->listener, (struct sockaddr *)&address, &size));
    server->port = ntohs(address.sin_port);
    must(!pthread_create(&server->acceptor, NULL, accept_all, server));
    return server;
}

const char *loopback_url(const loopback_t *server, const char *path)
{
    return apr_psprintf(server->pool, "%s://127.0.0.1:%d%s", server->tls ? "https" : "http",
                        server->port, path);
}

const char *loopback_ca_pem(const loopback_t *server)
{
    return server->ca_pem;
}

int loopback_connections(loopback_t *server)
{
    return atomic_load(&server->connections);
}

int loopback_requests(loopback_t *server)
{
    return atomic_load(&server->requests);
}

void loopback_stop(loopback_t *server)
{
    int i, count;

    atomic_store(&server->stopping, 1);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    close(server->listener);
    count = atomic_load(&server->connections);
    pthread_mutex_lock(&server->lock);
    for (i = 0; i < count; i++) {
        if (server->fds[i] >= 0) {
            shutdown(server->fds[i], SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&server->lock);
    for (i = 0; i < count; i++) {
        pthread_join(server->threads[i], NULL);
    }
    if (server->tls) {
        SSL_CTX_free(server->tls);
    }
    pthread_mutex_destroy(&server->lock);
}
