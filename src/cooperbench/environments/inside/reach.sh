# Exit code 0 when this sandbox reaches the API server of its cluster, which no sandbox may. Without a tool to connect with: 1.
[ -n "$KUBERNETES_SERVICE_HOST" ] || exit 1
if command -v python3 >/dev/null 2>&1; then
    exec python3 -I -S -c 'import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)
except OSError:
    sys.exit(1)' "$KUBERNETES_SERVICE_HOST" "$KUBERNETES_SERVICE_PORT"
elif command -v perl >/dev/null 2>&1; then
    exec perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Timeout => 1)' \
        "$KUBERNETES_SERVICE_HOST" "$KUBERNETES_SERVICE_PORT"
elif command -v nc >/dev/null 2>&1; then
    nc -w 1 "$KUBERNETES_SERVICE_HOST" "$KUBERNETES_SERVICE_PORT" </dev/null >/dev/null 2>&1 && exit 0
elif command -v bash >/dev/null 2>&1; then
    timeout 1 bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$KUBERNETES_SERVICE_HOST" "$KUBERNETES_SERVICE_PORT" && exit 0
fi
exit 1
