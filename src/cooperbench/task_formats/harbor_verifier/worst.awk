# Keeps the worst result of each test, in lines of "<status> <name>".
BEGIN { rank["passed"] = 1; rank["skipped"] = 2; rank["failed"] = 3; rank["error"] = 4 }
$1 in rank {
    name = substr($0, length($1) + 2)
    if (rank[$1] > worst[name]) { worst[name] = rank[$1]; status[name] = $1 }
}
$1 == "changed" && !seen[$0]++ { print }
END { for (name in status) print status[name], name }
