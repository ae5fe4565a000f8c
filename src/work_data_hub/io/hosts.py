"""Who can be reached where."""

from ipaddress import ip_address


def is_this_machine(host: str) -> bool:
    """Whether the name or address leads to this machine, and to it alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
