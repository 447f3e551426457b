# Names the tests that pass with the gold patch (results in the file `gold`) and not with the work, and what changed while tests ran.
# A name may hold text that the feature's code makes. Other cases of the same function stand for a parametrised case; else as many
# tests of the same group stand for it as are missing, with names that the gold run does not have.
function cases(name,  at) { at = index(name, "["); return at ? substr(name, 1, at - 1) : name }
function group(name,  part, separator, at, last) {
    if (source ~ /^go-/)
        return match(name, /(^|[.:])(Test|Fuzz|Benchmark)[A-Za-z0-9_]*\//) ? substr(name, 1, RSTART + RLENGTH - 2) : name
    if (source ~ /^(jest|vitest|junit)/) { at = index(name, ":"); return at ? substr(name, 1, at - 1) : name }
    if (source !~ /^(pytest|unittest)/) return name
    separator = index(name, "::") ? "::" : "."
    part = cases(name)
    last = 0
    for (at = 1; at <= length(part) - length(separator) + 1; at++)
        if (substr(part, at, length(separator)) == separator) last = at
    return last ? substr(part, 1, last - 1) separator : ""
}
{ name = substr($0, length($1) + 2) }
$1 == "changed" { if (FILENAME == gold) usual[name] = 1; else if (!(name in usual)) changed[name] = 1; next }
FILENAME == gold { known[name] = 1; if ($1 == "passed") required[name] = 1; next }
{
    results[name] = $1
    ran[cases(name)]++
    if ($1 != "passed") bad[cases(name)]++
    if (!(name in known)) { news[group(name)]++; if ($1 != "passed") bad_news[group(name)]++ }
}
END {
    for (name in changed) print "the tests or their runner were changed while they ran: " name
    for (name in required) if (!(name in results)) missing[group(name)]++
    for (name in required) {
        if (name in results) { if (results[name] != "passed") print name " " results[name] }
        else if (index(name, "[")) { if (!ran[cases(name)] || bad[cases(name)]) print name " did not run" }
        else if (news[group(name)] < missing[group(name)] || bad_news[group(name)]) print name " did not run"
    }
}
