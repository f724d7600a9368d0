"""The part of httpd.conf that every private server has; conf/site.conf is the test's own."""

from .errorlog import FORMAT

MPMS = ("event", "worker", "prefork")

# Those that httpd has compiled in have no file and need no LoadModule.
MODULES = ("unixd", "log_config", "logio", "watchdog", "authn_core", "authn_file", "authz_core",
           "authz_host", "authz_user", "access_compat", "auth_basic", "mime", "dir", "alias",
           "rewrite", "proxy", "proxy_http", "headers", "setenvif", "env", "socache_shmcb", "ssl",
           "status", "info", "reqtimeout")

POOLS = {
    "event": """StartServers 2
ServerLimit 4
ThreadsPerChild 25
MaxRequestWorkers 100
MinSpareThreads 25
MaxSpareThreads 100
""",
    "prefork": """StartServers 6
MinSpareServers 4
MaxSpareServers 40
MaxRequestWorkers 40
""",
}
POOLS["worker"] = POOLS["event"]

ACCESS_FORMAT = r"%P\t%h\t%m\t%U%q\t%H\t%>s\t%D\t%{WXPAY_OUT_TRADE_NO}e\t%{WXPAY_VERDICT}e"

TLS_HOST = """
<VirtualHost 127.0.0.1:${TLS_PORT}>
    %(name)s
    SSLEngine on
    Include ${ROOT}/conf/vhost.conf
</VirtualHost>
"""


def user_lines(user):
    """Root hands over to `user`; httpd started by anybody else stays what it is."""
    return "User %s\nGroup %s\n" % (user.pw_name, "#%d" % user.pw_gid) if user else ""


def text(*, defines, mpm, modules_dir, modules, module, user, server_name, tls, log_level):
    """The whole of httpd.conf."""
    wanted = ["mpm_" + mpm, *MODULES, *modules]
    if mpm != "prefork":
        wanted.append("http2")
    files = [(name, modules_dir / ("mod_%s.so" % name)) for name in wanted]
    load = ["LoadModule %s_module %s" % (name, path) for name, path in files if path.exists()]
    if module:
        load.append("LoadModule wxpay_module %s" % module)
    protocols = "Protocols http/1.1" if mpm == "prefork" else "Protocols h2 h2c http/1.1"
    name = "ServerName " + server_name if server_name else ""
    return "\n".join([
        *("Define %s %s" % item for item in defines.items()),
        *load,
        "ServerRoot ${ROOT}",
        "DefaultRuntimeDir ${ROOT}/run",
        "PidFile ${ROOT}/run/httpd.pid",
        user_lines(user) + name,
        "Listen 127.0.0.1:${PORT}",
        "Listen 127.0.0.1:${TLS_PORT} https" if tls else "",
        protocols,
        POOLS[mpm],
        "Timeout 20",
        "KeepAliveTimeout 5",
        "LogLevel " + log_level,
        "ErrorLog ${ROOT}/logs/error_log",
        "ErrorLogFormat " + FORMAT,
        'LogFormat "%s" pay' % ACCESS_FORMAT,
        "CustomLog ${ROOT}/logs/access_log pay",
        "TypesConfig ${ROOT}/conf/mime.types",
        "SSLSessionCache shmcb:${ROOT}/run/ssl_cache(512000)",
        "SSLCertificateFile ${CERT}\nSSLCertificateKeyFile ${CERT_KEY}" if tls else "",
        "DocumentRoot ${DOCROOT}",
        "<Directory />\n    AllowOverride None\n    Require all denied\n</Directory>",
        "<Directory ${DOCROOT}>\n    AllowOverride All\n    Options +FollowSymLinks\n"
        "    Require all granted\n</Directory>",
        "Include ${ROOT}/conf/site.conf",
        TLS_HOST % {"name": name} if tls == "vhost" else "",
        ""])
