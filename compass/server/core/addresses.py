"""Where connections may lead: anywhere but to the machine's own metadata service.

Clouds answer there with credentials of the machine, to whoever asks from it. The name is resolved
here and the address that was looked at is the one that is connected to, so that a name can't change
its mind in between (DNS rebinding).
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread

from compass.server.config import settings
from compass.server.core.step_error import Deadline

# RFC 3927 and RFC 4291, section 2.5.6, where nearly all clouds have it; and where the others do.
_METADATA = tuple(
    ip_network(each)
    for each in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32")
)
_NAT64 = ip_network("64:ff9b::/96")


class UnreachableError(Exception):
    """`code` is for programs, `str()` a sentence for whoever has to mend the connection."""

    def __init__(self, message: str, code: str = "unreachable"):
        super().__init__(message)
        self.code = code


def resolve(host: str, port: int, deadline: Deadline) -> list[str]:
    """The addresses to connect to, one after the other. Raises UnreachableError, TimeoutError."""
    addresses = [host] if _is_address(host) else _look_up(host, port, deadline)
    if not settings().allow_metadata and any(map(is_metadata, addresses)):
        raise UnreachableError(
            f"{host} is an address that machines get their own credentials from (link-local). "
            "Connections may not lead there.",
            "refused_address",
        )
    return list(dict.fromkeys(addresses))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        # Also of other spellings, such as 0x7f.1, which the look-up understands.
        return False
    return True


def _look_up(host: str, port: int, deadline: Deadline) -> list[str]:
    """In a thread of its own: what asks the name servers can't be hurried."""
    answers: SimpleQueue[list[str]] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        answers.put([str(each[4][0]) for each in found])

    Thread(target=ask, name="look-up", daemon=True).start()
    try:
        addresses = answers.get(timeout=deadline.left())
    except Empty:
        raise TimeoutError from None
    if not addresses:
        raise UnreachableError(f"The name {host} is not known.")
    return addresses


def is_metadata(address: str) -> bool:
    """Also in its IPv4-mapped (RFC 4291) and NAT64 (RFC 6052) disguises."""
    plain: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(plain, IPv6Address):
        if plain.ipv4_mapped:
            plain = plain.ipv4_mapped
        elif plain in _NAT64:
            plain = IPv4Address(int(plain) & 0xFFFFFFFF)
    return any(plain in network for network in _METADATA)
