"""A small shop, httpd with the module, and the simulator: `make demo` and `make demo-check`."""
