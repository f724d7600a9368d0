"""System tests: the module inside a real httpd, with a private ServerRoot on loopback."""
