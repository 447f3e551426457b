#!/bin/sh
# Adds routes to the network of a sandbox: each argument is NETWORK/BITS, made unreachable, or NETWORK/BITS GATEWAY (IPv4).
# It runs in a container of its own that shares only that network, with what the image has: ip, Python or Perl.
set -e
if command -v ip >/dev/null 2>&1; then
    for route; do
        case $route in
        *' '*) ip route add "${route% *}" via "${route#* }" ;;
        *:*) ip -6 route add unreachable "$route" ;;
        *) ip route add unreachable "$route" ;;
        esac
    done
elif command -v python3 >/dev/null 2>&1; then
    # struct rtentry of route(7) and in6_rtmsg of linux/ipv6_route.h; 0x890B is SIOCADDRT; flags are up 1, gateway 2, reject 0x200
    exec python3 -I -S -c '
import fcntl, socket, struct, sys
def address(text):
    return struct.pack("=H2x4s8x", socket.AF_INET, socket.inet_aton(text))
for route in sys.argv[1:]:
    network, _, gateway = route.partition(" ")
    place, bits = network.split("/")
    if ":" in place:
        entry = struct.pack("=16s36xH10xQL4x", socket.inet_pton(socket.AF_INET6, place), int(bits), 0, 0x201)
        fcntl.ioctl(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), 0x890B, entry)
        continue
    mask = socket.inet_ntoa(struct.pack(">L", (0xFFFFFFFF << (32 - int(bits))) & 0xFFFFFFFF))
    flags = 3 if gateway else 0x201
    entry = struct.pack("=8x16s16s16sH62x", *map(address, (place, gateway or "0.0.0.0", mask)), flags)
    fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x890B, entry)
' "$@"
elif command -v perl >/dev/null 2>&1; then
    exec perl -MSocket=inet_pton -e '
sub address { pack("S x2 C4 x8", 2, split(/\./, $_[0])) }
sub add { socket(my $channel, $_[0], 2, 0); ioctl($channel, 0x890B, $_[1]) or die "$_: $!" }
for (@ARGV) {
    my ($network, $gateway) = split / /;
    my ($place, $bits) = split /\//, $network;
    if ($place =~ /:/) {
        add(10, pack("a16 x36 S x10 Q L x4", inet_pton(10, $place), $bits, 0, 0x201));
        next;
    }
    my $mask = join(".", unpack("C4", pack("N", (0xFFFFFFFF << (32 - $bits)) & 0xFFFFFFFF)));
    my $entry = "\0" x 8 . join("", map { address($_) } $place, $gateway // "0.0.0.0", $mask);
    add(2, $entry . pack("S x62", $gateway ? 3 : 0x201));
}' -- "$@"
else
    echo "the image has neither ip nor Python nor Perl" >&2
    exit 3
fi
