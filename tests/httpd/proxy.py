"""A small HTTP proxy that does CONNECT and nothing else."""

import contextlib
import socket
import threading


class Proxy:
    """Listens on a loopback port until close(). `refuse`: a status that CONNECT is answered with."""

    def __init__(self):
        self.asked = []  # the request line and headers of every connection
        self.refuse = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % self.port
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # A thread that already waits in accept() would still get one more client without this.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(4096)
                if not more:
                    return
                head += more
            self.asked.append(head.decode("latin-1"))
            method, target, _ = head.decode("latin-1").split(" ", 2)
            if method != "CONNECT" or self.refuse:
                client.sendall(b"HTTP/1.1 %d No\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n"
                               b"Request-ID: of-the-proxy\r\nContent-Length: 0\r\n\r\n"
                               % (self.refuse or 405))
                return
            host, port = target.rsplit(":", 1)
            with socket.create_connection((host.strip("[]"), int(port))) as server:
                # A date that would be warned of, if it counted.
                client.sendall(b"HTTP/1.1 200 Tunnel\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n"
                               b"Request-ID: of-the-proxy\r\n\r\n")
                back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
                back.start()
                self._copy(client, server)
                back.join()

    @staticmethod
    def _copy(source, target):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
